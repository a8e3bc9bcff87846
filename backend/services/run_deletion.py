"""Deletes runs that have ended, with everything that is theirs."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from backend.contracts.runs import FINAL_STATES
from backend.domain.errors import ConflictError
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.deleted_run_store import DeletedRunStore
from backend.stores.mongo.object_use_store import ObjectUseStore
from backend.stores.mongo.result_store import ResultStore
from backend.stores.mongo.run_store import RunStore


class RunContent(Protocol):
    """A store that holds something of runs."""

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        ...


class RunDeletionService:
    """A run disappears at once; what it reported is cleared away after the answer, as that may take a while.

    Its folder is removed by the worker that has it, when that next asks (worker_service.folder_verdicts).
    """

    def __init__(
        self,
        runs: RunStore,
        deleted: DeletedRunStore,
        artifacts: ArtifactStore,
        results: ResultStore,
        other_contents: Sequence[RunContent],
        uses: ObjectUseStore,
        now: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._runs = runs
        self._deleted = deleted
        self._artifacts = artifacts
        self._results = results
        self._contents: tuple[RunContent, ...] = (*other_contents, artifacts, results)
        self._uses = uses
        self._now = now
        self._wake = wake

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete these runs, or none: raises NotFoundError, or ConflictError('runs_not_final') with their numbers."""
        runs = [self._runs.get(run_id) for run_id in dict.fromkeys(run_ids)]
        unfinished = [run.number for run in runs if run.state not in FINAL_STATES]
        if unfinished:
            raise ConflictError("runs_not_final", runs=", ".join(map(str, sorted(unfinished))))
        for run in runs:
            weights = [file.sha256 for file in self._runs.inputs(run.id).weights]
            self._deleted.note(run.id, weights, self._now())
            self._runs.remove_final(run.id)  # No arrow leaves a final state, so this can not be refused now.
        self._wake()

    def finish(self) -> None:
        """Clear away what deleted runs left, also those whose deletion was cut short by a crash."""
        for run_id, weights in self._deleted.uncleared().items():
            self._runs.remove_final(run_id)
            self._uses.release(weights)
            self._uses.release(artifact.sha256 for artifact in self._artifacts.artifacts(run_id))
            # Images of a dataset that was deleted are kept for the results that show them.
            self._uses.release(self._results.images(run_id))
            for content in self._contents:
                content.remove_run(run_id)
            self._deleted.set_cleared(run_id)
