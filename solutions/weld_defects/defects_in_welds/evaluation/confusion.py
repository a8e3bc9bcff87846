"""Which true box was taken for what: confusion counts with a background row and column, faults of an image."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torchvision.ops import box_iou

Target = dict[str, Tensor]


@dataclass(frozen=True)
class ImageFaults:
    """Counts for one image at a confidence and IoU."""

    missed: int
    false_alarms: int
    wrong_class: int

    @property
    def total(self) -> int:
        """All faults."""
        return self.missed + self.false_alarms + self.wrong_class


def matched_pairs(iou_TA: Tensor, least_iou: float) -> list[tuple[int, int]]:  # noqa: N803 (T truths, A answers)
    """Pairs (truth, answer) from the best overlap down, each box used once, IoU at least `least_iou`."""
    pairs, values = [], iou_TA.clone()
    while values.numel() and values.max() >= least_iou:
        row, column = divmod(int(values.argmax()), values.shape[1])
        pairs.append((row, column))
        values[row], values[:, column] = -1, -1
    return pairs


def count_image(counts: np.ndarray, truth: Target, answer: Target, least_iou: float) -> ImageFaults:
    """Add an image to `counts` (C + 1, C + 1; rows the truth, columns the answer, last the background); its faults."""
    background = len(counts) - 1
    pairs = matched_pairs(box_iou(truth["boxes"], answer["boxes"]), least_iou)
    wrong = 0
    for row, column in pairs:
        true, given = int(truth["labels"][row]), int(answer["labels"][column])
        counts[true, given] += 1
        wrong += true != given
    missed = set(range(len(truth["boxes"]))) - {row for row, _ in pairs}
    alarms = set(range(len(answer["boxes"]))) - {column for _, column in pairs}
    for row in missed:
        counts[int(truth["labels"][row]), background] += 1
    for column in alarms:
        counts[background, int(answer["labels"][column])] += 1
    return ImageFaults(len(missed), len(alarms), wrong)


def precision_recall_f1(counts: np.ndarray, class_id: int) -> tuple[float, float, float]:
    """Of one class; 0 where nothing was answered or nothing was true."""
    hits, answered, true = counts[class_id, class_id], counts[:, class_id].sum(), counts[class_id].sum()
    precision, recall = hits / max(answered, 1), hits / max(true, 1)
    return float(precision), float(recall), float(2 * precision * recall / max(precision + recall, 1e-9))
