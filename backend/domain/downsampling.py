"""Makes a long series fit a plot without losing what a reader looks for: spikes, gaps, both ends."""

import numpy as np
import numpy.typing as npt
from tsdownsample import MinMaxDownsampler

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def positions_to_show(values: Floats, max_points: int) -> Integers:
    """Positions of at most `max_points` (>= 8) points, ascending, that look like the whole.

    The finite points are cut into equal parts and the lowest and highest of each is kept: a spike can not get lost,
    which MinMaxLTTB does not promise (docs/decisions/0016). The first and last are always there.
    Of points that are not finite, up to a quarter of the room shows where each stretch of them begins.
    """
    if len(values) <= max_points:
        return np.arange(len(values), dtype=np.int64)
    is_finite = np.isfinite(values)
    finite = np.flatnonzero(is_finite)
    gaps = np.flatnonzero(~is_finite & np.concatenate(([True], is_finite[:-1])))
    gaps = gaps[np.unique(np.linspace(0, len(gaps) - 1, min(len(gaps), max_points // 4)).astype(np.int64))]
    always = {0, len(values) - 1}
    if len(finite):
        heights = values[finite]
        always |= {int(finite[heights.argmax()]), int(finite[heights.argmin()])}
    room = max_points - len(gaps) - len(always)
    if len(finite) > room:
        # tsdownsample wants an even number, two per part.
        finite = finite[MinMaxDownsampler().downsample(values[finite], n_out=room // 2 * 2).astype(np.int64)]
    return np.unique(np.concatenate((finite, gaps, np.fromiter(always, dtype=np.int64))))
