"""Starts a run again as a new run with the very same inputs, on request or because it was asked for beforehand."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from backend.contracts.base import Reason
from backend.contracts.runs import FINAL_STATES, Run
from backend.domain.errors import ArmError, ConflictError
from backend.services.own_messages import OwnMessages
from backend.services.run_service import RunService
from backend.stores.mongo.run_store import RunStore

RepeatCause = Literal["repeated_by_user", "repeated_automatically"]


class RunRetries:
    """A repetition names the run it repeats in `retry_of`; that one names it in `retried_as`."""

    def __init__(
        self,
        runs: RunStore,
        run_service: RunService,
        own_messages: OwnMessages,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._runs = runs
        self._run_service = run_service
        self._own_messages = own_messages
        self._new_id = new_id
        self._now = now

    def retry(self, run_id: str) -> Run:
        """Repeat a final run now. Raises NotFoundError, ConflictError('run_not_final')."""
        run = self._runs.get(run_id)
        if run.state not in FINAL_STATES:
            raise ConflictError("run_not_final", run=run.number, state=run.state)
        return self._repeat(run, self._new_id(), run.retries, "repeated_by_user")

    def retry_due(self) -> None:
        """Repeat every failed or lost run that has repetitions left.

        The new id follows from the old one: a repetition that was interrupted half-way is completed, never doubled.
        """
        for run in self._runs.awaiting_retry():
            new_id = hashlib.sha256(f"retry of {run.id}".encode()).hexdigest()[:16]
            self._repeat(run, new_id, run.retries - 1, "repeated_automatically")

    def _repeat(self, run: Run, new_id: str, retries: int, why: RepeatCause) -> Run:
        again = Run(
            id=new_id,
            number=self._runs.next_number(),
            state="created",
            retry_of=run.id,
            retries=retries,
            created_at=self._now(),
            **{name: getattr(run, name) for name in _SAME},
        )
        self._runs.insert(again, self._runs.inputs(run.id))
        self._explain(run, self._runs.get(new_id), why)
        try:
            return self._run_service.queue(again)
        except ArmError:
            return self._runs.get(new_id)  # Its dataset is gone: it failed, which it says itself.
        finally:
            self._runs.set_retried(run.id, new_id)

    def _explain(self, run: Run, again: Run, why: RepeatCause) -> None:
        """Tell the readers of both runs, each of the other one."""
        told = Reason(code=why, params={"number": again.number, "left": again.retries})
        self._own_messages.post(run.id, f"repeated:{again.id}", "info", told)
        self._own_messages.post(again.id, "repeats", "info", Reason(code="repeats_run", params={"number": run.number}))


_SAME = (
    *("project_id", "project_name", "kind", "entry_file", "arguments", "device", "params", "samples", "code_sha256"),
    *("train_run_id", "train_params", "weights", "seed", "processes", "limits", "priority", "labels", "network"),
    "language",
)
