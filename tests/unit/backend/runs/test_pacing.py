import pytest

from backend.runs.pacing import pause_after


@pytest.mark.parametrize(("spent_s", "pause_s"), [(0.0, 0.1), (0.02, 0.1), (0.1, 0.4), (0.2, 0.8), (30.0, 1.0)])
def test_a_slow_api_is_asked_less_often_but_never_forgotten(spent_s: float, pause_s: float) -> None:
    assert pause_after(spent_s, 0.1, 1.0) == pytest.approx(pause_s)
