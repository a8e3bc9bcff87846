"""The whole table of steps, legal and illegal."""

from itertools import product
from typing import get_args

import pytest

from backend.contracts.runs import FINAL_STATES, RunState
from backend.domain.run_lifecycle import ARROWS, refusal, states_before

STATES: tuple[RunState, ...] = get_args(RunState)
LEGAL = {
    *(("created", after) for after in ("queued", "stopped", "failed")),
    *(("queued", after) for after in ("starting", "stopped", "failed")),
    *(("starting", after) for after in ("running", "queued", "failed", "stopped", "lost")),
    *(("running", after) for after in ("finished", "failed", "stopped", "lost")),
}


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)))
def test_exactly_the_drawn_arrows_are_allowed(before: RunState, after: RunState) -> None:
    assert (before in states_before(after)) is ((before, after) in LEGAL)


def test_every_state_is_in_the_table_and_final_ones_are_dead_ends() -> None:
    assert set(ARROWS) == set(STATES)
    assert {state for state, targets in ARROWS.items() if not targets} == FINAL_STATES


def test_a_refusal_names_run_state_and_wish() -> None:
    error = refusal("r7", "finished", "running")
    assert error.params == {"run": "r7", "state": "finished", "wanted": "running"}
