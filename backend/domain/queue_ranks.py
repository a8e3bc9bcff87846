"""Places in a queue as numbers: a run moves by changing its own number only, so claims meanwhile harm nothing."""

from collections.abc import Sequence

STEP = 0.001
"""Between a run and one put behind the last; new runs come later than that, since ranks begin as Unix seconds."""


def rank_at(ranks: Sequence[float], place: int) -> float | None:
    """A rank that comes at `place` (0..len) of the ascending `ranks`; None when no number is left between two."""
    if not ranks:
        raise ValueError("there is nothing to be placed beside")
    if place == 0:
        return ranks[0] - STEP
    if place == len(ranks):
        return ranks[-1] + STEP
    low, high = ranks[place - 1], ranks[place]
    middle = (low + high) / 2
    return middle if low < middle < high else None


def spread(ranks: Sequence[float]) -> list[float]:
    """New ranks in the same order with room between them, none later than the last was."""
    return [ranks[-1] - STEP * (len(ranks) - 1 - place) for place in range(len(ranks))]
