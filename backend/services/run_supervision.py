"""Finds runs whose agent fell silent, without a person. Runs beside the API, every few seconds."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from backend.contracts.base import Reason
from backend.contracts.runs import Run
from backend.domain.errors import ArmError
from backend.services.own_messages import OwnMessages
from backend.services.run_retries import RunRetries
from backend.services.run_service import RunService
from backend.stores.mongo.run_store import RunStore

PERIOD_S = 5.0
UNQUEUED_S = 30.0
MAX_CLAIMS = 3
log = logging.getLogger(__name__)


class RunSupervision:
    """Judges leases only after it has itself been awake, with MongoDB answering, for one lease: agents can not renew
    while the API is down, and that silence is ours.
    """

    def __init__(
        self,
        runs: RunStore,
        own_messages: OwnMessages,
        run_service: RunService,
        run_retries: RunRetries,
        lease_s: float,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._own_messages = own_messages
        self._run_service = run_service
        self._run_retries = run_retries
        self._lease_s = lease_s
        self._now = now
        self._monotonic = monotonic
        self._awake_since: float | None = None
        self._last_check = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="run-supervision", daemon=True)

    def start(self) -> None:
        """Begin to watch in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End watching; returns when the thread is gone."""
        self._stopping.set()
        self._thread.join()

    def check(self) -> None:
        """One look at every lease."""
        moment = self._monotonic()
        if self._awake_since is None or moment - self._last_check > 3 * PERIOD_S:
            self._awake_since = moment
        self._last_check = moment
        for run in self._runs.never_queued(self._now() - timedelta(seconds=UNQUEUED_S)):
            self._run_service.queue(run)
        self._run_retries.retry_due()
        if moment - self._awake_since >= self._lease_s:
            for silent in self._runs.silent_since(self._now() - timedelta(seconds=self._lease_s)):
                self._give_up(*silent)

    def _give_up(self, run: Run, has_agent: bool, claim_count: int) -> None:
        # The condition again: an agent that reported after our look keeps its run.
        unchanged = {"heartbeat_at": run.heartbeat_at}
        if run.state == "starting" and not has_agent and claim_count < MAX_CLAIMS:
            # The claim was lost on its way: no process of this run ever existed.
            requeued: dict[str, Any] = {"token_sha256": None, "worker": "", "queued_at": self._now()}
            self._runs.move(run.id, "queued", requeued, only_if=unchanged | {"state": "starting", "has_agent": False})
            return
        reason = Reason(code="agent_silent", params={"seconds": round(self._lease_s), "worker": run.worker})
        changes = {"reason": reason.model_dump(), "finished_at": self._now()}
        if self._runs.move(run.id, "lost", changes, only_if=unchanged) is not None:
            log.warning("run %s is lost: its agent on %s was silent", run.number, run.worker)
            self._own_messages.post(run.id, "lost", "error", reason)

    def _watch(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            try:
                self.check()
            except ArmError as error:
                self._awake_since = None
                log.warning("leases could not be checked: %s", error)
