"""However a long series arrives, its overview keeps the peaks and its statistics are those of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.series_fold import ROW, Rows, SeriesFold, thinned
from backend.domain.series_view import stats_of, to_series, view_of


def rows_of(values: "np.typing.ArrayLike", start: int = 0, time: float = 0.0) -> Rows:
    values = np.asarray(values, np.float64)
    rows = np.zeros(len(values), ROW)
    rows["pos"] = rows["iter"] = np.arange(start, start + len(values))
    rows["time"] = time + rows["pos"]
    rows["value"] = values
    return rows


def folded(values: "np.typing.ArrayLike", pieces: int = 1, capacity: int = 256, seed: int = 0) -> SeriesFold:
    """The fold of a series that came in random pieces."""
    rows = rows_of(values)
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(rows) + 1, pieces - 1))
    fold = SeriesFold(capacity=capacity)
    for piece in np.split(rows, cuts):
        fold.add(piece)
    return fold


@settings(max_examples=80, deadline=None)
@given(
    count=st.integers(1, 5000),
    pieces=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
    special_share=st.sampled_from([0.0, 0.001, 0.3, 1.0]),
    trend=st.sampled_from([0.0, 0.01, -100.0]),
)
def test_ends_extremes_and_statistics_survive(
    count: int, pieces: int, seed: int, special_share: float, trend: float
) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=count) + trend * np.arange(count)
    special = chance.random(count) < special_share
    values[special] = chance.choice([np.nan, np.inf, -np.inf], special.sum())
    fold = folded(values, pieces, seed=seed)
    assert len(fold.kept) <= 256 and (np.diff(fold.kept["pos"]) > 0).all()
    view = view_of([fold])
    stats = stats_of(view)
    finite = values[np.isfinite(values)]
    assert (stats.count, stats.special_count) == (count, count - len(finite))
    assert (stats.first_step, stats.last_step) == (0, count - 1)
    if len(finite):
        assert (stats.min, stats.max) == (finite.min(), finite.max())
        assert (values[stats.min_step], values[stats.max_step]) == (stats.min, stats.max)
        np.testing.assert_allclose([stats.mean, stats.std], [finite.mean(), finite.std()], rtol=1e-9, atol=1e-9)
        shown = to_series("x", view, 100, stats, is_exact=fold.is_exact)
        assert {stats.min, stats.max} <= set(shown.values) and len(shown.values) <= max(100, 8)
    else:
        assert stats.min is stats.max is stats.mean is stats.std is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pieces=st.integers(1, 300), sign=st.sampled_from([1.0, -1.0]))
def test_every_isolated_spike_is_shown(seed: int, pieces: int, sign: float) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=100_000)
    spikes = np.arange(20) * 5000 + chance.integers(0, 4000, 20)
    values[spikes] = sign * chance.uniform(10, 100, 20)
    view = view_of([folded(values, pieces, capacity=4096, seed=seed)])
    shown = to_series("x", view, 1000, stats_of(view), is_exact=False)
    assert set(spikes.tolist()) <= set(shown.steps)


@pytest.mark.parametrize(("bad", "name"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_a_single_point_that_is_no_number_is_shown_as_what_it_is(bad: float, name: str) -> None:
    values = np.zeros(50_000)
    values[[777, 40_000]] = bad
    view = view_of([folded(values, 10, capacity=4096)])
    shown = to_series("x", view, 500, stats_of(view), is_exact=False)
    assert {shown.steps[i]: what for i, what in shown.special.items()} == {777: name, 40_000: name}
    assert all(shown.values[i] is None for i in shown.special)


def test_short_series_are_kept_whole_and_longer_ones_say_that_they_are_not() -> None:
    assert folded(range(256), 7).is_exact and not folded(range(257), 7).is_exact


def test_huge_numbers_have_no_spread_rather_than_a_wrong_one() -> None:
    stats = stats_of(view_of([folded([1e308, -1e308, 1e308], 2)]))
    assert stats.max == 1e308 and stats.std is None


def test_thinning_keeps_the_first_of_equal_extremes() -> None:
    assert thinned(rows_of([5, 1, 9, 1, 9, 5]), 6)["pos"].tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize(
    ("epochs", "iters", "steps"),
    [
        ([0, 0, 1, 1], [0, 10, 20, 30], [0, 10, 20, 30]),
        ([1, 2, 3, 4], [0, 0, 0, 0], [1, 2, 3, 4]),
        ([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3]),
        ([0, 0, 0, 0], [5, 5, 5, 5], [0, 1, 2, 3]),
        ([3], [7], [7]),
    ],
)
def test_the_x_axis_is_what_grows(epochs: list[int], iters: list[int], steps: list[int]) -> None:
    rows = rows_of(np.zeros(len(steps)))
    rows["epoch"], rows["iter"] = epochs, iters
    fold = SeriesFold()
    for piece in np.array_split(rows, 2):
        fold.add(piece)
    assert view_of([fold]).steps.tolist() == steps


def test_a_graph_continued_by_another_process_goes_on_where_it_ended() -> None:
    one, other = SeriesFold(capacity=64), SeriesFold(capacity=64)
    one.add(rows_of(np.arange(1000)))
    again = rows_of(np.arange(1000), time=5000)
    other.add(again)  # its iterations start from 0 again
    view = view_of([other, one])
    assert view.axis == "pos" and view.steps[0] == 0 and view.steps[-1] == 1999
    assert (np.diff(view.steps) > 0).all() and stats_of(view).count == 2000


def test_processes_that_write_one_graph_at_the_same_time_are_merged_by_time() -> None:
    short = [SeriesFold(), SeriesFold()]
    for number, fold in enumerate(short):
        fold.add(rows_of([number] * 50, time=number / 2))
    view = view_of(short)
    assert view.rows["value"].tolist() == [0, 1] * 50 and view.steps.tolist() == list(range(100))
    long = [SeriesFold(capacity=64), SeriesFold(capacity=64)]
    for number, fold in enumerate(long):
        fold.add(rows_of(np.random.default_rng(number).normal(size=10_000), time=number / 2))
    estimated = view_of(long)
    assert (np.diff(estimated.steps) > 0).all()
    assert np.abs(estimated.steps - 2 * estimated.rows["iter"]).max() < 20  # exact would be 0 or 1
