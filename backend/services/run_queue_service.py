"""What a user can ask about the queue: who waits for what, and another order."""

from collections.abc import Callable

from backend.contracts.base import Reason
from backend.contracts.runs import QueuedRun, QueueMove, Run
from backend.contracts.workers import Worker
from backend.domain.errors import ConflictError, InvalidInputError
from backend.domain.queue_ranks import rank_at, spread
from backend.services.run_waiting import reason_to_wait
from backend.stores.mongo.run_store import RunStore


class RunQueueService:
    """The queue as it is claimed: higher priority first, then who pressed Start earlier, unless somebody moved it."""

    def __init__(self, runs: RunStore, workers: Callable[[], list[Worker]]) -> None:
        self._runs = runs
        self._workers = workers

    def queue(self) -> list[QueuedRun]:
        """Queued runs in the order of claims."""
        runs, workers = self._runs.queued(), self._workers()
        return [
            QueuedRun(run=run, position=place + 1, waits_for=reason_to_wait(run, runs[:place], workers))
            for place, run in enumerate(runs)
        ]

    def waits_for(self, run: Run) -> Reason | None:
        """What one run waits for; None when it is no longer queued."""
        runs = self._runs.queued()
        place = next((place for place, queued in enumerate(runs) if queued.id == run.id), None)
        return None if place is None else reason_to_wait(run, runs[:place], self._workers())

    def set_priority(self, run_id: str, priority: int) -> list[QueuedRun]:
        """Give a queued run another priority. Raises NotFoundError, or ConflictError when it is not in the queue."""
        self._place(run_id, priority, None)
        return self.queue()

    def move(self, run_id: str, request: QueueMove) -> list[QueuedRun]:
        """Put a queued run beside another; it takes over that one's priority.

        Raises NotFoundError, or ConflictError when either is no longer in the queue.
        """
        neighbour_id = request.before or request.after
        assert neighbour_id is not None  # The contract's own rule.
        if neighbour_id == run_id:
            raise InvalidInputError("queue_move_beside_itself", run=run_id)
        neighbour = self._runs.get(neighbour_id)
        for _ in range(2):
            ranks = self._runs.queue_ranks(neighbour.priority)
            if neighbour_id not in ranks:
                raise _not_queued(neighbour)
            ranks.pop(run_id, None)
            place = list(ranks).index(neighbour_id) + (0 if request.before else 1)
            rank = rank_at(list(ranks.values()), place)
            if rank is not None:
                self._place(run_id, neighbour.priority, rank)
                return self.queue()
            # No number is left between the two: give all of them new ones, then try again.
            for other_id, new_rank in zip(ranks, spread(list(ranks.values())), strict=True):
                self._runs.set_queue_place(other_id, neighbour.priority, new_rank)
        raise ConflictError("queue_changed", run=run_id)

    def _place(self, run_id: str, priority: int, rank: float | None) -> None:
        if not self._runs.set_queue_place(run_id, priority, rank):
            raise _not_queued(self._runs.get(run_id))


def _not_queued(run: Run) -> ConflictError:
    return ConflictError("run_not_queued", run=run.number, state=run.state)
