"""Which predicted boxes hit a true one on one image. Pure; for looking at images, not for the metrics of a test run."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.components.boxes import Box

IOU_THRESHOLD = 0.5


@dataclass(frozen=True)
class Matching:
    """`pairs` maps the index of a prediction to that of the truth it hit, with their IoU."""

    pairs: dict[int, tuple[int, float]]
    false_positives: tuple[int, ...]
    false_negatives: tuple[int, ...]

    @property
    def true_positives(self) -> int:
        """How many predictions hit."""
        return len(self.pairs)


def iou(first: Box, second: Box) -> float:
    """Intersection over union, 0..1; 0 for boxes without area."""
    width = min(first.x2, second.x2) - max(first.x1, second.x1)
    height = min(first.y2, second.y2) - max(first.y1, second.y1)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (first.area + second.area - common)


def match(predictions: Sequence[Box], truths: Sequence[Box], threshold: float = IOU_THRESHOLD) -> Matching:
    """Greedy by confidence: each prediction takes the free truth of its class with the largest IoU >= threshold."""
    pairs: dict[int, tuple[int, float]] = {}
    free = set(range(len(truths)))
    for index in sorted(range(len(predictions)), key=lambda i: -(predictions[i].confidence or 0)):
        found = [
            (iou(predictions[index], truths[other]), -other)  # of equals the first
            for other in free
            if truths[other].class_name == predictions[index].class_name
        ]
        best, minus_other = max(found, default=(0.0, 0))
        if best >= threshold:
            pairs[index] = (-minus_other, best)
            free.remove(-minus_other)
    missed = tuple(index for index in range(len(predictions)) if index not in pairs)
    return Matching(pairs, false_positives=missed, false_negatives=tuple(sorted(free)))
