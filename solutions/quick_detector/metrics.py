"""Compares found boxes with true ones: what test.py shows.

An image's truth is (boxes (N, 4), class ids (N,)); its detections are (boxes (M, 4), scores (M,), class ids (M,)).
"""

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou

Truth = tuple[Tensor, Tensor]
Detections = tuple[Tensor, Tensor, Tensor]


def matched_pairs(iou: Tensor, least_iou: float) -> list[tuple[int, int]]:
    """Pairs (truth, detection) with IoU at least `least_iou`, best first, each box used once; `iou` is (N, M)."""
    pairs, values = [], iou.clone()
    while values.numel() and values.max() >= least_iou:
        row, column = divmod(int(values.argmax()), values.shape[1])
        pairs.append((row, column))
        values[row], values[:, column] = -1, -1
    return pairs


def average_precision(truths: list[Truth], detections: list[Detections], class_id: int, least_iou: float) -> float:
    """Area under the precision-recall curve of one class over all images; NaN if the class has no true box.

    Detections are taken from the surest down; each claims the free true box it overlaps most.
    """
    true_boxes = [boxes[labels == class_id] for boxes, labels in truths]
    total = sum(len(boxes) for boxes in true_boxes)
    if total == 0:
        return float("nan")
    claims = []
    for image, (boxes, scores, labels) in enumerate(detections):
        of_class = labels == class_id
        overlap = box_iou(boxes[of_class], true_boxes[image])
        claims += [(float(score), image, row) for score, row in zip(scores[of_class], overlap, strict=True)]
    claims.sort(key=lambda claim: -claim[0])
    is_taken = [torch.zeros(len(boxes), dtype=torch.bool) for boxes in true_boxes]
    hits = np.zeros(len(claims))
    for rank, (_, image, overlap) in enumerate(claims):
        free = torch.where(is_taken[image], -1.0, overlap)
        if len(free) and free.max() >= least_iou:
            is_taken[image][free.argmax()] = True
            hits[rank] = 1
    found = hits.cumsum()
    precision = found / np.arange(1, len(claims) + 1)
    # Precision at a recall is the best one still reachable there: the curve may only fall.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * hits).sum() / total)


def confusion(truths: list[Truth], detections: list[Detections], class_count: int, least_iou: float) -> np.ndarray:
    """Counts (C + 1, C + 1): rows are the truth, columns the answer, the last of each is the background.

    The row "background" counts boxes on sound metal, the column "background" counts missed defects.
    """
    counts = np.zeros((class_count + 1, class_count + 1), dtype=int)
    for (true_boxes, true_labels), (boxes, _, labels) in zip(truths, detections, strict=True):
        pairs = matched_pairs(box_iou(true_boxes, boxes), least_iou)
        for row, column in pairs:
            counts[true_labels[row], labels[column]] += 1
        for row in set(range(len(true_boxes))) - {row for row, _ in pairs}:
            counts[true_labels[row], class_count] += 1
        for column in set(range(len(boxes))) - {column for _, column in pairs}:
            counts[class_count, labels[column]] += 1
    return counts


def precision_recall_f1(counts: np.ndarray, class_id: int) -> tuple[float, float, float]:
    """Of one class, from the confusion counts; 0 where nothing was answered or nothing was true."""
    hits, answered, true = counts[class_id, class_id], counts[:, class_id].sum(), counts[class_id].sum()
    precision, recall = hits / max(answered, 1), hits / max(true, 1)
    return float(precision), float(recall), float(2 * precision * recall / max(precision + recall, 1e-9))
