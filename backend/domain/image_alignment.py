"""Lays one small picture over another: how alike are they once a crop, a shift or a slight turn is undone?

Inverse compositional Lucas-Kanade with an affine warp, on a correlation, so brightness and contrast do not matter.
Shapes: M pairs, S × S pixels, P = S * S. Places are (x, y) in -1..1 from edge to edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

STEPS = 12
MIN_OVERLAP = 0.7
"""part of the first picture that the second must still cover"""
PATIENCE = 4
"""steps after which a pair goes on only while it gets better, and is not hopeless"""
HOPELESS_BELOW, LEAST_GAIN, GOOD_ENOUGH = 0.8, 1e-3, 0.995
OUTLIER = 3
"""details stronger than so many standard deviations (glints, a stamped number) count as that many"""


def standardised(pictures: Floats) -> Floats:
    """(..., S, S) → (..., P) of mean 0 and length 1, so that a product of two is their correlation."""
    import numpy as np

    flat = pictures.reshape(*pictures.shape[:-2], pictures.shape[-2] * pictures.shape[-1])
    centred = flat - flat.mean(axis=-1, keepdims=True)
    result: Floats = centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-3)
    return result


def aligned_likeness(fixed: Floats, moved: Floats) -> tuple[Floats, Floats]:
    """Correlation of (M, S, S) pictures with others once these are shifted, scaled, turned a little to fit, and the
    correlation of their details alone (what a blur by a pixel takes away), both (M,)."""
    import numpy as np

    count, side = fixed.shape[:2]
    places = _grid(side)
    target = standardised(fixed)
    change, inverse = _change(target.reshape(fixed.shape), places)
    warp = np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))
    best, best_warp = np.full(count, -1, np.float32), warp.copy()
    alive = np.arange(count)
    for step in range(STEPS):
        if not alive.size:
            break
        seen, is_inside = _sampled(moved[alive], warp[alive, :2] @ places)
        likeness, error = _compared(target[alive], seen, is_inside)
        gain = likeness - best[alive]
        better = gain > 0
        best[alive[better]], best_warp[alive[better]] = likeness[better], warp[alive[better]]
        keep = (likeness > -1) & (best[alive] < GOOD_ENOUGH)
        if step >= PATIENCE:
            keep &= (best[alive] >= HOPELESS_BELOW) & (gain > LEAST_GAIN)
        alive, error = alive[keep], error[keep]
        update = (inverse[alive] @ (change[alive] @ error[:, :, None]))[:, :, 0]
        # A warp that collapses has no inverse: such a pair overlaps too little and was dropped above.
        warp[alive] = warp[alive] @ np.linalg.inv(_maps(update))
    seen, is_inside = _sampled(moved, best_warp[:, :2] @ places)
    return best, _detail_likeness(fixed, seen.reshape(fixed.shape), is_inside.reshape(fixed.shape))


def _grid(side: int) -> Floats:
    """(3, P): x, y and 1 of every pixel."""
    import numpy as np

    axis = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 2)
    return np.stack([*np.meshgrid(axis, axis), np.ones((side, side), np.float32)]).reshape(3, -1)


def _change(target: Floats, places: Floats) -> tuple[Floats, Floats]:
    """(M, 6, P): what each pixel says about the six numbers of the warp, and the inverse (M, 6, 6) of its square.

    Brightness and contrast have no say in it.
    """
    import numpy as np

    count, side = target.shape[:2]
    flat = target.reshape(count, -1)
    slopes = np.gradient(target, 2 / side, axis=(2, 1))
    change = np.concatenate([slope.reshape(count, 1, -1) * places for slope in slopes], axis=1)
    change -= change.mean(axis=2, keepdims=True)
    change -= (change @ flat[:, :, None]) * flat[:, None]
    square = change @ change.transpose(0, 2, 1)
    size = np.trace(square, axis1=1, axis2=2)[:, None, None] / 6
    inverse: Floats = np.linalg.inv(square + (0.01 * size + 1e-6) * np.eye(6, dtype=np.float32))
    return change, inverse


def _maps(update: Floats) -> Floats:
    """(M, 6) changes of x and of y → (M, 3, 3) maps of (x, y, 1), kept far from collapsing."""
    import numpy as np

    maps = np.tile(np.eye(3, dtype=np.float32), (len(update), 1, 1))
    maps[:, :2] += np.clip(update, -0.3, 0.3).reshape(-1, 2, 3)
    return maps


def _sampled(pictures: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Bilinear values (M, P) of (M, S, S) at (M, 2, P) places, and 1 where the place lies inside."""
    import numpy as np

    side = pictures.shape[1]
    pixels = places * (side / 2) + (side - 1) / 2
    is_inside = ((pixels >= 0) & (pixels <= side - 1)).all(axis=1).astype(np.float32)
    pixels = np.clip(pixels, 0, side - 1.001)
    whole = pixels.astype(np.int32)
    x, y = (pixels - whole).transpose(1, 0, 2)
    corner = whole[:, 1] * side + whole[:, 0]
    flat = pictures.reshape(len(pictures), side * side)
    a, b, c, d = (np.take_along_axis(flat, corner + shift, axis=1) for shift in (0, 1, side, side + 1))
    return (a + (b - a) * x) * (1 - y) + (c + (d - c) * x) * y, is_inside


def _compared(target: Floats, seen: Floats, is_inside: Floats) -> tuple[Floats, Floats]:
    """Correlation where both are known (-1 where too little is), and the difference that is left there."""
    import numpy as np

    count = np.maximum(is_inside.sum(axis=1, keepdims=True), 1)
    parts = []
    for values in (target, seen):
        centred = (values - (values * is_inside).sum(axis=1, keepdims=True) / count) * is_inside
        parts.append(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6))
    likeness = (parts[0] * parts[1]).sum(axis=1)
    covers = count[:, 0] >= MIN_OVERLAP * target.shape[1]
    return np.where(covers, likeness, np.float32(-1)), parts[1] - parts[0]


def _detail_likeness(fixed: Floats, seen: Floats, is_inside: Floats) -> Floats:
    import numpy as np

    # Beside the seam there is no neighbourhood to take a detail from.
    known = _blurred(is_inside) > 0.999
    details = []
    for pictures in (fixed, seen):
        detail = (pictures - _blurred(pictures)) * known
        spread = np.sqrt((detail**2).sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1))[:, None, None]
        detail = np.clip(detail, -OUTLIER * spread, OUTLIER * spread)
        details.append(detail / np.maximum(np.linalg.norm(detail, axis=(1, 2), keepdims=True), 1e-6))
    likeness: Floats = (details[0] * details[1]).sum(axis=(1, 2))
    return likeness


def _blurred(pictures: Floats) -> Floats:
    """Mean of each pixel and its eight neighbours."""
    import numpy as np

    side = pictures.shape[1]
    wide = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = wide[:, :side] + wide[:, 1 : side + 1] + wide[:, 2 : side + 2]
    result: Floats = (rows[:, :, :side] + rows[:, :, 1 : side + 1] + rows[:, :, 2 : side + 2]) / np.float32(9)
    return result
