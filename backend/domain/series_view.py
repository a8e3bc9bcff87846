"""One graph out of the event files that wrote it: their points side by side in time, the x axis, the statistics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from backend.contracts.reports import Series, SeriesStats
from backend.domain.downsampling import positions_to_show
from backend.domain.series_fold import Rows, SeriesFold, merged_moments

Axis = Literal["iter", "epoch", "pos"]


@dataclass(frozen=True)
class SeriesView:
    """`rows` in the order of the graph; `pos` counts from 0 in the whole graph.

    `shifts` is what to add to a position within each fold to get the position in the graph; None where processes wrote
    at the same time: positions between kept rows are estimates then.
    """

    rows: Rows
    axis: Axis
    folds: tuple[SeriesFold, ...]
    shifts: tuple[int, ...] | None

    @property
    def steps(self) -> npt.NDArray[np.int64]:
        """The x of every row."""
        return self.rows[self.axis]

    @property
    def count(self) -> int:
        """Points of the whole graph."""
        return sum(fold.count for fold in self.folds)

    @property
    def is_exact(self) -> bool:
        """Whether no point was left out."""
        return all(fold.is_exact for fold in self.folds)


def view_of(folds: Sequence[SeriesFold]) -> SeriesView:
    """Put the folds of a whole graph together, one an event file, none of them empty."""
    ordered = _by_time(folds)
    if _follow_each_other(ordered):
        shifts = tuple(accumulate((fold.count for fold in ordered[:-1]), initial=0))
        moved = (_moved(f.kept, f.kept["pos"] + shift) for f, shift in zip(ordered, shifts, strict=True))
        rows = np.concatenate(list(moved))
        return SeriesView(rows, _axis(rows, ordered), ordered, shifts)
    rows = np.concatenate([_moved(fold.kept, _estimated(fold, ordered)) for fold in ordered])
    rows = rows[np.argsort(rows["time"], kind="stable")]
    counting = np.arange(len(rows))
    is_exact = all(fold.is_exact for fold in ordered)
    rows["pos"] = counting if is_exact else np.maximum.accumulate(rows["pos"] - counting) + counting
    return SeriesView(rows, _axis(rows, ordered), ordered, None)


def view_of_range(folds: Sequence[SeriesFold], axis: Axis) -> SeriesView:
    """The same for folds of a part of the graph, whose positions are those in the whole graph already."""
    ordered = _by_time(folds)
    rows = np.concatenate([fold.kept for fold in ordered])
    if not _follow_each_other(ordered):
        rows = rows[np.argsort(rows["time"], kind="stable")]
    return SeriesView(rows, axis, ordered, None)


def to_series(name: str, view: SeriesView, max_points: int, stats: SeriesStats, is_exact: bool) -> Series:
    """What a page gets: at most `max_points` of the view's points."""
    chosen = positions_to_show(view.rows["value"], max_points)
    rows = view.rows[chosen]
    values = rows["value"].tolist()
    special = {i: repr(v) for i, v in enumerate(values) if not math.isfinite(v)}
    return Series(
        name=name,
        values=tuple(None if i in special else v for i, v in enumerate(values)) if special else tuple(values),
        epochs=tuple(rows["epoch"].tolist()),
        iters=tuple(rows["iter"].tolist()),
        steps=tuple(view.steps[chosen].tolist()),
        total=stats.count,
        special=special,
        is_exact=is_exact and len(chosen) == len(view.rows),
        stats=stats,
    )


def stats_of(view: SeriesView) -> SeriesStats:
    """Statistics over every point of the graph: its extremes are among the rows of a view."""
    moments = ((fold.finite_count, fold.mean, fold.squares) for fold in view.folds)
    count, mean, squares = reduce(merged_moments, moments)
    values, steps = view.rows["value"], view.steps
    finite = np.flatnonzero(np.isfinite(values))
    lowest = int(finite[values[finite].argmin()]) if len(finite) else None
    highest = int(finite[values[finite].argmax()]) if len(finite) else None
    return SeriesStats(
        count=view.count,
        special_count=view.count - count,
        min=None if lowest is None else float(values[lowest]),
        min_step=None if lowest is None else int(steps[lowest]),
        max=None if highest is None else float(values[highest]),
        max_step=None if highest is None else int(steps[highest]),
        mean=_finite(mean) if count else None,
        std=_finite(math.sqrt(squares / count)) if count and squares >= 0 else None,
        first=_finite(float(values[0])),
        first_step=int(steps[0]),
        last=_finite(float(values[-1])),
        last_step=int(steps[-1]),
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _by_time(folds: Sequence[SeriesFold]) -> tuple[SeriesFold, ...]:
    return tuple(sorted(folds, key=lambda fold: float(fold.kept["time"][0])))


def _follow_each_other(ordered: Sequence[SeriesFold]) -> bool:
    return all(one.kept["time"][-1] <= other.kept["time"].min() for one, other in pairwise(ordered))


def _axis(rows: Rows, folds: Sequence[SeriesFold]) -> Axis:
    """Iterations where they strictly grow, else epochs where they do, else 0, 1, 2, …

    A script that counts iterations from 0 in every epoch gets the running number: both others would draw points on
    top of each other.
    """
    if all(fold.iters_grow for fold in folds) and bool((np.diff(rows["iter"]) > 0).all()):
        return "iter"
    if all(fold.epochs_grow for fold in folds) and bool((np.diff(rows["epoch"]) > 0).all()):
        return "epoch"
    return "pos"


def _moved(rows: Rows, positions: npt.NDArray[np.int64]) -> Rows:
    moved = rows.copy()
    moved["pos"] = positions
    return moved


def _estimated(fold: SeriesFold, folds: Sequence[SeriesFold]) -> npt.NDArray[np.int64]:
    """Position in the whole graph: the own one and how many points the others had by that time."""
    positions = fold.kept["pos"].astype(np.float64)
    for other in folds:
        if other is not fold:
            times, counts = np.maximum.accumulate(other.kept["time"]), other.kept["pos"] + 1
            positions += np.interp(fold.kept["time"], times, counts, left=0)
    return positions.astype(np.int64)
