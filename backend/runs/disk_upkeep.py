"""Keeps a worker's disk clean and tells the backend how full it is: a thread beside the worker."""

import logging
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from backend.contracts.workers import DiskUse, FolderVerdicts, WorkerFolders
from backend.runs import disk_cleaning
from backend.runs.api_connection import ApiAwayError, ApiConnection, ApiRefusedError

UNKNOWN_PAUSE_S = 2.0
"""A worker is unknown until it has asked for its first run."""
MEASURE_SHARE = 0.02
"""Walking through every file of a full disk takes minutes: at most this share of the time goes into it."""
FOLDERS_ASKED = 5000
log = logging.getLogger(__name__)


class DiskUpkeep:
    """Start and stop with `with`. Only the backend's word removes a run folder, so a live run keeps everything."""

    def __init__(
        self,
        connection: ApiConnection,
        home: Path,
        worker: str,
        keep_days: float,
        cache_max_gb: float,
        sweep_s: float,
    ) -> None:
        self._connection = connection
        self._home = home
        self._runs_dir = home / "runs"
        self._cache_dir = home / "cache" / "objects"
        self._worker = worker
        self._keep_days = keep_days
        self._cache_limit_bytes = int(cache_max_gb * 1e9)
        self._sweep_s = sweep_s
        self._measure_from = float("-inf")
        self._run_folders_bytes = self._cache_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="disk-upkeep", daemon=True)

    def __enter__(self) -> "DiskUpkeep":
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join(5)  # A large folder may take longer; its removal goes on at the next start.
        self._connection.close()

    def sweep(self) -> bool:
        """One round. False when the backend does not know this worker yet. Raises as ApiConnection.attempt, OSError."""
        disk_cleaning.remove_leftovers(self._runs_dir)
        run_ids = disk_cleaning.run_ids(self._runs_dir)
        self._measure()
        body = WorkerFolders(disk=self._disk_use(len(run_ids)), run_ids=tuple(run_ids[:FOLDERS_ASKED]))
        try:
            reply = self._connection.attempt("POST", f"/workers/{self._worker}/folders", json_body=body)
        except ApiRefusedError as error:
            if error.status == 404:
                return False
            raise
        removable = self._removable(FolderVerdicts.model_validate_json(reply.content))
        for run_id in removable:
            log.info("run folder %s removed", run_id)
            disk_cleaning.remove_run_folder(self._runs_dir, run_id)
        return True

    def _removable(self, verdicts: FolderVerdicts) -> list[str]:
        ended_before = datetime.now(UTC) - timedelta(days=min(self._keep_days, 100_000))
        expired = [run_id for run_id, ended_at in verdicts.ended.items() if ended_at < ended_before]
        return [*verdicts.deleted, *expired]

    def _measure(self) -> None:
        began_at = time.monotonic()
        if began_at < self._measure_from:
            return
        self._cache_bytes = disk_cleaning.shrink_cache(self._cache_dir, self._cache_limit_bytes)
        self._run_folders_bytes = disk_cleaning.own_bytes(self._runs_dir)
        ended_at = time.monotonic()
        self._measure_from = ended_at + (ended_at - began_at) / MEASURE_SHARE

    def _disk_use(self, run_folder_count: int) -> DiskUse:
        disk = shutil.disk_usage(self._home)
        return DiskUse(
            total_bytes=disk.total,
            free_bytes=disk.free,
            run_folder_count=run_folder_count,
            run_folders_bytes=self._run_folders_bytes,
            cache_bytes=self._cache_bytes,
            cache_limit_bytes=self._cache_limit_bytes,
            keep_days=self._keep_days,
        )

    def _work(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            pause_s = self._sweep_s
            try:
                if not self.sweep():
                    pause_s = min(UNKNOWN_PAUSE_S, self._sweep_s)
            except (ApiAwayError, ApiRefusedError, OSError) as error:
                log.info("the disk was not looked after: %s", error)
