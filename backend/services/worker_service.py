"""What workers ask (to be known as alive, and for a run) and what users ask about them."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from backend.contracts.runs import Run
from backend.contracts.workers import (
    AdoptRequest,
    Claim,
    ClaimRequest,
    Device,
    DiskUse,
    FolderVerdicts,
    Worker,
    WorkerFolders,
    WorkerRun,
)
from backend.domain.errors import ConflictError, NotFoundError
from backend.stores.mongo.deleted_run_store import DeletedRunStore
from backend.stores.mongo.run_store import RunStore
from backend.stores.mongo.worker_store import KnownWorker, WorkerStore
from backend.stores.redis.wake_ups import WakeUps

ALIVE_S = 15.0
LOW_DISK_BYTES = 5 << 30
LOW_DISK_SHARE = 0.05
MAX_UNPROVEN = 4
"""A worker gets no further run while the agents of so many have not been heard. Fifty agents that begin at once take
longer than a lease to say that they live, and then their runs would be given up."""
UNPROVEN_PAUSE_S = 0.2


class WorkerService:
    """Claims are conditional updates of run documents; Redis only shortens the waiting.

    Slots are counted from the run documents, not by workers: a run whose worker was killed occupies its slot for as
    long as its own agent proves that it is alive.
    """

    def __init__(
        self,
        runs: RunStore,
        workers: WorkerStore,
        deleted_runs: DeletedRunStore,
        wake_ups: WakeUps,
        now: Callable[[], datetime],
        alive_s: float = ALIVE_S,
    ) -> None:
        self._runs = runs
        self._workers = workers
        self._deleted_runs = deleted_runs
        self._wake_ups = wake_ups
        self._now = now
        self._alive_s = alive_s

    def devices(self) -> list[Device]:
        """Devices of live workers, by name and worker."""
        found = [device for worker in self._workers.workers() if self._is_alive(worker) for device in worker.devices]
        return sorted(found, key=lambda device: (device.name, device.worker))

    def workers(self) -> list[Worker]:
        """All workers with what runs on them, by name."""
        active = self._runs.active()
        return [
            self._seen(worker, [run for run in active if run.worker == worker.name])
            for worker in self._workers.workers()
        ]

    def runs(self, name: str) -> list[Run]:
        """Active runs of one worker, by number; none of a worker that nobody knows."""
        return self._runs.active_of(name)

    def renew(self, request: ClaimRequest) -> None:
        """Note that a worker is alive."""
        self._workers.renew(request.worker, request.labels, request.devices, self._now())

    def claim(self, request: ClaimRequest) -> Claim | None:
        """The first run of the queue for a free slot of this worker, with its new token; None when there is none."""
        devices = self._free_devices(request)
        if not devices or self._workers.is_draining(request.worker):
            return None
        if self._is_busy_starting(request.worker):
            return None
        token = secrets.token_urlsafe(32)
        run = self._runs.claim(devices, request.labels, request.worker, token_hash(token), self._now())
        return None if run is None else Claim(run_id=run.id, device=run.device, token=token)

    def adopt(self, request: AdoptRequest) -> Claim:
        """A fresh token for an active or ended run; the former opens nothing any more. The lease begins anew.

        Raises NotFoundError, ConflictError('run_not_adoptable') for a run that waits: nothing of it can be anywhere.
        """
        token = secrets.token_urlsafe(32)
        run = self._runs.adopt(request.run_id, request.worker, token_hash(token), self._now())
        return Claim(run_id=run.id, device=run.device, token=token)

    def wait(self, request: ClaimRequest, timeout_s: float) -> None:
        """Return when there may be something to claim, at the latest after `timeout_s`."""
        # A worker that takes nothing must not swallow the wake-ups of those that do.
        if self._workers.is_draining(request.worker):
            self._wake_ups.wait([], timeout_s)
        elif self._is_busy_starting(request.worker):
            self._wake_ups.wait([], min(timeout_s, UNPROVEN_PAUSE_S))
        else:
            self._wake_ups.wait(self._free_devices(request), timeout_s)

    def set_draining(self, name: str, is_draining: bool) -> Worker:
        """Let a worker finish what it runs and take nothing new, or take runs again. Raises NotFoundError."""
        if not self._workers.set_draining(name, is_draining):
            raise NotFoundError("worker_not_found", worker=name[:80])
        if not is_draining:
            for device in {
                device.name for worker in self._workers.workers() if worker.name == name for device in worker.devices
            }:
                self._wake_ups.send(device)
        return self._worker(name)

    def folder_verdicts(self, name: str, folders: WorkerFolders) -> FolderVerdicts:
        """Note how a worker's disk is used; the answer says which of its run folders are needed no more.

        Raises NotFoundError for a worker that has not asked for a run yet.
        """
        if not self._workers.set_disk(name, folders.disk):
            raise NotFoundError("worker_not_found", worker=name[:80])
        deleted = self._deleted_runs.among(folders.run_ids)
        return FolderVerdicts(deleted=tuple(deleted), ended=self._runs.ended_at(folders.run_ids))

    def remove(self, name: str) -> None:
        """Forget a worker that is away. Raises NotFoundError; ConflictError while it is alive or its runs go on."""
        worker = self._worker(name)
        if worker.runs:
            raise ConflictError("worker_has_runs", worker=name, runs=", ".join(str(run.number) for run in worker.runs))
        if not self._workers.remove(name, self._now() - timedelta(seconds=self._alive_s)):
            raise ConflictError("worker_alive", worker=name)

    def _worker(self, name: str) -> Worker:
        for worker in self.workers():
            if worker.name == name:
                return worker
        raise NotFoundError("worker_not_found", worker=name[:80])

    def _is_busy_starting(self, worker: str) -> bool:
        return self._runs.unproven_count(worker) >= MAX_UNPROVEN

    def _free_devices(self, request: ClaimRequest) -> list[str]:
        used = self._runs.used_slots(request.worker)
        return [
            device.name
            for device in request.devices
            if used[device.name] < device.slots and (request.free is None or device.name in request.free)
        ]

    def _is_alive(self, worker: KnownWorker) -> bool:
        return self._now() - worker.last_seen < timedelta(seconds=self._alive_s)

    def _seen(self, worker: KnownWorker, runs: list[Run]) -> Worker:
        return Worker(
            name=worker.name,
            labels=worker.labels,
            devices=worker.devices,
            used=dict(Counter(run.device for run in runs)),
            runs=tuple(WorkerRun(**run.model_dump(include=set(WorkerRun.model_fields))) for run in runs),
            is_alive=self._is_alive(worker),
            is_draining=worker.is_draining,
            last_seen=worker.last_seen,
            disk=worker.disk,
            is_disk_low=worker.disk is not None and _is_low(worker.disk),
        )


def _is_low(disk: DiskUse) -> bool:
    return disk.free_bytes < max(LOW_DISK_BYTES, LOW_DISK_SHARE * disk.total_bytes)


def token_hash(token: str) -> str:
    """What the database keeps of a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
