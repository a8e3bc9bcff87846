"""/api/queue: what waits, in which order and for what. Another order: PATCH …/priority, POST …/move of a run."""

from fastapi import APIRouter

from backend.api.dependencies import QueueOf
from backend.contracts.runs import PriorityUpdate, QueuedRun, QueueMove

router = APIRouter(tags=["queue"])


@router.get("/queue")
def list_queue(queue: QueueOf) -> list[QueuedRun]:
    """Queued runs in the order of claims."""
    return queue.queue()


@router.patch("/runs/{run_id}/priority")
def set_priority(run_id: str, body: PriorityUpdate, queue: QueueOf) -> list[QueuedRun]:
    """Another priority of a queued run; answers the whole queue."""
    return queue.set_priority(run_id, body.priority)


@router.post("/runs/{run_id}/move")
def move(run_id: str, body: QueueMove, queue: QueueOf) -> list[QueuedRun]:
    """Put a queued run beside another; answers the whole queue."""
    return queue.move(run_id, body)
