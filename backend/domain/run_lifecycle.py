"""The arrows between the states of a run. Nothing else in the project knows them."""

from backend.contracts.runs import FINAL_STATES, RunState
from backend.domain.errors import ConflictError

ARROWS: dict[RunState, frozenset[RunState]] = {
    "created": frozenset({"queued", "stopped", "failed"}),
    "queued": frozenset({"starting", "stopped", "failed"}),
    # Back to the queue: the claim never reached a worker, so nothing of this run has happened yet.
    "starting": frozenset({"running", "queued", "failed", "stopped", "lost"}),
    "running": frozenset({"finished", "failed", "stopped", "lost"}),
    **{state: frozenset() for state in FINAL_STATES},
}
ACTIVE_STATES: tuple[RunState, ...] = ("starting", "running")
"""An agent holds the run and renews its lease."""
WAITING_STATES: tuple[RunState, ...] = ("created", "queued")
"""No process belongs to the run yet."""


def states_before(after: RunState) -> list[RunState]:
    """The states from which `after` is one step away: the condition of the update that makes the step."""
    return [state for state, targets in ARROWS.items() if after in targets]


def refusal(run_id: str, before: RunState, after: RunState) -> ConflictError:
    """The error for a step that is not an arrow."""
    return ConflictError("run_wrong_state", run=run_id, state=before, wanted=after)
