"""What workers ask: to be known as alive, and for a run."""

import hashlib
import logging
import secrets
from collections.abc import Callable
from datetime import datetime

from backend.contracts.runs import AdoptRequest, Claim, ClaimRequest, Device
from backend.domain.errors import UnavailableError
from backend.stores.mongo.run_store import RunStore
from backend.stores.redis.live_workers import LiveWorkers
from backend.stores.redis.wake_ups import WakeUps

log = logging.getLogger(__name__)


class WorkerService:
    """Claims are conditional updates of run documents; Redis only shortens the waiting."""

    def __init__(
        self, runs: RunStore, wake_ups: WakeUps, live_workers: LiveWorkers, now: Callable[[], datetime]
    ) -> None:
        self._runs = runs
        self._wake_ups = wake_ups
        self._live_workers = live_workers
        self._now = now

    def devices(self) -> list[Device]:
        """Devices of live workers."""
        return self._live_workers.devices()

    def renew(self, request: ClaimRequest) -> None:
        """Note that a worker is alive. Without Redis it is merely not listed: it gets its runs all the same."""
        try:
            self._live_workers.renew(request.worker, request.devices)
        except UnavailableError as error:
            log.warning("worker %s can not be listed: %s", request.worker, error)

    def claim(self, request: ClaimRequest) -> Claim | None:
        """The run that waits longest for a free device of this worker, with its new token; None when there is none."""
        devices = _free_devices(request)
        if not devices:
            return None
        token = secrets.token_urlsafe(32)
        run = self._runs.claim(devices, request.worker, token_hash(token), self._now())
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
        self._wake_ups.wait(_free_devices(request), timeout_s)


def token_hash(token: str) -> str:
    """What the database keeps of a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _free_devices(request: ClaimRequest) -> list[str]:
    offered = [device.name for device in request.devices]
    return offered if request.free is None else [name for name in offered if name in request.free]
