"""A series of any length in little memory, grown piece by piece: what a plot of it shows, and its statistics."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

ROW = np.dtype([("pos", "<i8"), ("value", "<f8"), ("epoch", "<i8"), ("iter", "<i8"), ("time", "<f8")])
"""A point: its position in its event file's part of the series (from 0), what was logged, Unix seconds."""
Rows = npt.NDArray[np.void]
CAPACITY = 4096


@dataclass
class SeriesFold:
    """All points of one series out of one event file, folded in order; at most `capacity` of them are kept.

    Positions are cut into buckets of `width` points, and of each bucket the lowest, the highest and the first of every
    kind that is no number stay. When there are too many, buckets are joined by twos. So the first, the last, the lowest
    and the highest point are always among `kept`, and so is a spike that has its bucket to itself.
    """

    capacity: int = CAPACITY
    width: int = 1
    kept: Rows = field(default_factory=lambda: np.zeros(0, ROW))
    count: int = 0
    finite_count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """sum of squared deviations from `mean` (Welford); both over finite values"""
    iters_grow: bool = True
    epochs_grow: bool = True
    upto: int = 0
    """offset in the event file: batches that begin before it are folded in"""

    @property
    def is_exact(self) -> bool:
        """Whether every point is kept."""
        return len(self.kept) == self.count

    def add(self, rows: Rows) -> None:
        """Fold in the next points, in order."""
        if not len(rows):
            return
        last = self.kept[-1:]
        self.iters_grow = self.iters_grow and _grows(last, rows, "iter")
        self.epochs_grow = self.epochs_grow and _grows(last, rows, "epoch")
        self.count += len(rows)
        values = rows["value"][np.isfinite(rows["value"])]
        if len(values):
            with np.errstate(over="ignore", invalid="ignore"):
                mean = float(values.mean())
                squares = float(np.square(values - mean).sum())
            self._merge(len(values), mean, squares)
        self.kept = np.concatenate((self.kept, thinned(rows, self.width)))
        if len(self.kept) > self.capacity:
            self.kept = thinned(self.kept, self.width)
            while len(self.kept) > self.capacity * 3 // 4:  # Room is left, so this is not needed at every call.
                self.width *= 2
                self.kept = thinned(self.kept, self.width)

    def _merge(self, count: int, mean: float, squares: float) -> None:
        self.finite_count, self.mean, self.squares = merged_moments(
            (self.finite_count, self.mean, self.squares), (count, mean, squares)
        )


Moments = tuple[int, float, float]


def merged_moments(one: Moments, other: Moments) -> Moments:
    """(count, mean, sum of squared deviations) of two samples together (Chan et al. 1979)."""
    count = one[0] + other[0]
    if count == 0:
        return (0, 0.0, 0.0)
    # Python floats: an overflow gives inf here, not an exception.
    delta = other[1] - one[1]
    mean = one[1] + delta * (other[0] / count)
    return (count, mean, one[2] + other[2] + delta * delta * (one[0] * (other[0] / count)))


def thinned(rows: Rows, width: int) -> Rows:
    """What of `rows` (ascending positions) stays when a bucket of `width` positions shows its extremes only."""
    if width <= 1 or not len(rows):
        return rows
    buckets, values = rows["pos"] // width, rows["value"]
    stays = np.zeros(len(rows), bool)
    stays[[0, -1]] = True
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite):
        heights, of_bucket = values[finite], buckets[finite]
        starts = _starts(of_bucket)
        sizes = np.diff(np.append(starts, len(finite)))
        for extreme in (np.minimum, np.maximum):
            equal = np.flatnonzero(heights == np.repeat(extreme.reduceat(heights, starts), sizes))
            stays[finite[equal[_starts(of_bucket[equal])]]] = True
    for is_special in (np.isnan, np.isposinf, np.isneginf):
        special = np.flatnonzero(is_special(values))
        stays[special[_starts(buckets[special])]] = True
    return rows[stays]


def _starts(buckets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each run of equal numbers begins."""
    return np.flatnonzero(np.concatenate((np.ones(min(1, len(buckets)), bool), buckets[1:] != buckets[:-1])))


def _grows(last: Rows, rows: Rows, column: str) -> bool:
    numbers = np.concatenate((last[column], rows[column]))
    return bool((numbers[1:] > numbers[:-1]).all())
