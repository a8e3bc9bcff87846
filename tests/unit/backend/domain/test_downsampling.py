"""What must survive downsampling: spikes, both ends, the places where values stop being numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.downsampling import positions_to_show


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 5000),
    room=st.integers(8, 400),
    seed=st.integers(0, 2**32 - 1),
    nan_share=st.sampled_from([0.0, 0.001, 0.3, 1.0]),
)
def test_never_too_many_ascending_with_ends_and_extremes(count: int, room: int, seed: int, nan_share: float) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=count)
    values[chance.random(count) < nan_share] = np.nan
    chosen = positions_to_show(values, room)
    assert len(chosen) <= room or count <= room
    assert (np.diff(chosen) > 0).all() and chosen[0] == 0 and chosen[-1] == count - 1
    if np.isfinite(values).any():
        assert {int(np.nanargmax(values)), int(np.nanargmin(values))} <= set(chosen.tolist())


def test_spikes_anywhere_survive() -> None:
    values = np.random.default_rng(1).normal(size=100_000)
    spikes = np.arange(20) * 5000 + np.random.default_rng(2).integers(0, 4000, 20)
    values[spikes] = 100
    assert set(spikes.tolist()) <= set(positions_to_show(values, 1000).tolist())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_single_point_that_is_no_number_survives(bad: float) -> None:
    values = np.zeros(50_000)
    values[[777, 40_000]] = bad
    assert {777, 40_000} <= set(positions_to_show(values, 500).tolist())


def test_short_series_are_left_alone() -> None:
    assert positions_to_show(np.array([1.0, np.nan, 3.0]), 1000).tolist() == [0, 1, 2]
