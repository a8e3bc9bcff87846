"""A small storm; `make chaos` is the large one."""

from tests.chaos.storm import run_storm


def test_a_small_storm_leaves_balanced_books() -> None:
    report = run_storm(seed=7, faults=10)
    assert report.totals.faults == []
    assert report.totals.points > 500 and report.totals.artifacts > 5
