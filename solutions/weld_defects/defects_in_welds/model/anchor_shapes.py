"""Shapes of anchors fitted to the boxes of a training sample: k-means, no constant that belongs to a data set."""

import math
from collections.abc import Sequence

import numpy as np

from defects_in_welds.data.image_files import network_factor
from defects_in_welds.data.samples import Sample

FINEST_PX, SHAPES_A_LEVEL, OCTAVES = 16, 6, 5
"""side of a square anchor on the finest level, shapes a cell, levels; the same as those of the fixed anchors"""


def fit_anchor_shapes(samples: Sequence[Sample], short_side: int, long_side: int) -> list[list[float]] | None:
    """SHAPES_A_LEVEL pairs (width, height) in pixels of the network's input, for the finest level; None without boxes.

    A box is first brought to the finest level: halved until its size is within an octave of FINEST_PX, since level l
    has the same shapes times 2^l. So every size stays covered, and what is fitted is the form, and the size of those
    boxes that are smaller or bigger than all levels.
    """
    logs = [_log_shape(box, sample, short_side, long_side) for sample in samples for box in sample.boxes]
    if not logs:
        return None
    centres = k_means(np.array(logs), SHAPES_A_LEVEL)
    shapes = np.exp(centres)
    order = np.argsort(shapes.prod(axis=1))
    return [[round(float(width), 2), round(float(height), 2)] for width, height in shapes[order]]


def _log_shape(box: tuple[float, ...], sample: Sample, short_side: int, long_side: int) -> list[float]:
    scale = network_factor(sample.size, short_side, long_side)
    width, height = (box[2] - box[0]) * scale, (box[3] - box[1]) * scale
    octave = round(math.log2(math.sqrt(width * height) / FINEST_PX))
    halved = 2.0 ** -min(max(octave, 0), OCTAVES - 1)
    return [math.log(width * halved), math.log(height * halved)]


def k_means(points: np.ndarray, count: int, rounds: int = 100) -> np.ndarray:
    """Centres (count, D) of points (N, D). Starts from far points, so the answer is the same each time.

    With fewer different points than `count` the last centre is repeated.
    """
    centres = points[[np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))]]
    while len(centres) < count:
        nearest = ((points[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
        centres = np.vstack([centres, points[np.argmax(nearest)]])
    for _ in range(rounds):
        owner = ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        moved = np.array([points[owner == i].mean(axis=0) if (owner == i).any() else centres[i] for i in range(count)])
        if np.allclose(moved, centres):
            break
        centres = moved
    return centres
