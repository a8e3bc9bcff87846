"""What a user can ask about runs: start, list, look, stop."""

from collections.abc import Callable
from datetime import datetime

from backend.contracts.base import Reason
from backend.contracts.runs import Run, RunCreate, RunKind
from backend.domain.errors import NotFoundError
from backend.domain.run_lifecycle import WAITING_STATES
from backend.services.run_inputs import RunInputChecker
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.stores.mongo.run_list import RunList
from backend.stores.mongo.run_store import RunStore
from backend.stores.redis.wake_ups import WakeUps


class RunService:
    """Runs as pages see them."""

    def __init__(
        self,
        runs: RunStore,
        run_list: RunList,
        cursors: RunCursorStore,
        inputs: RunInputChecker,
        wake_ups: WakeUps,
        waits_for: Callable[[Run], Reason | None],
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._runs = runs
        self._list = run_list
        self._cursors = cursors
        self._inputs = inputs
        self._wake_ups = wake_ups
        self._waits_for = waits_for
        self._new_id = new_id
        self._now = now

    def create(self, request: RunCreate) -> Run:
        """Check everything, save, then queue: a run that could not be queued is still visible.

        Raises InvalidInputError, NotFoundError or ConflictError before anything is saved.
        """
        pressed_at = self._now()
        project, entry_file = self._inputs.project(request)
        params, device = self._inputs.params(project, request), self._inputs.device(request)
        weights, network = self._inputs.weights(project, request), self._inputs.network(project, request)
        samples = self._inputs.samples(request)
        run = Run(
            id=self._new_id(),
            number=self._runs.next_number(),
            project_id=project.id,
            project_name=project.name,
            kind=request.kind,
            state="created",
            entry_file=entry_file,
            arguments=request.arguments,
            device=device,
            params=params,
            train_params=self._inputs.train_params(request),
            samples=samples,
            code_sha256=project.code.sha256,
            train_run_id=request.train_run_id,
            weights=tuple(file.path for file in weights),
            seed=request.seed,
            priority=request.priority,
            labels=tuple(dict.fromkeys(request.labels)),
            network=network,
            processes=request.processes,
            limits=request.limits,
            retries=request.retries,
            language=request.language,
            created_at=pressed_at,
        )
        self._runs.insert(run, self._inputs.inputs(project, request, weights))
        return self.queue(run)

    def queue(self, run: Run) -> Run:
        """Put a saved run into the queue and wake whoever waits for one."""
        try:
            self._inputs.still_holds(run)
        except NotFoundError as error:
            # Its dataset, or the run whose weights it tests, was deleted while the run was being saved.
            reason = Reason(code="inputs_vanished", params={"detail": str(error)})
            self._runs.move(run.id, "failed", {"reason": reason.model_dump(), "finished_at": self._now()})
            raise
        self._runs.move(run.id, "queued", {"queued_at": self._now()}, only_from=["created"])
        self._wake_ups.send(run.device)
        return self.get(run.id)

    def get(self, run_id: str) -> Run:
        """One run. Raises NotFoundError."""
        run, counts = self._runs.get(run_id), self._cursors.message_counts([run_id])[run_id]
        waits_for = self._waits_for(run) if run.state == "queued" else None
        return run.model_copy(update={"message_counts": counts, "waits_for": waits_for})

    def list_json(self, project_id: str | None, kind: RunKind | None, limit: int, before: str | None) -> bytes:
        """Runs, newest first, as a JSON list of Run; `before` is the id of the last run of the page above."""
        return self._list.page(project_id, kind, limit, before)

    def stop(self, run_id: str) -> Run:
        """End a run: at once while it waits, through its agent when it is active. A final run stays as it is."""
        reason = Reason(code="stopped_by_user").model_dump()
        ended = self._runs.move(
            run_id, "stopped", {"reason": reason, "finished_at": self._now()}, only_from=WAITING_STATES
        )
        if ended is None:
            self._runs.request_stop(run_id)
        return self.get(run_id)
