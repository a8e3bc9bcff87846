"""Mean average precision as COCO defines it, overall and per class, with the precision-recall curves."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

Target = dict[str, Tensor]
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class CocoScores:
    """`ap_C`, `ap50_C`: NaN for a class without a true box. `precision50_CR`: at the 101 recalls, IoU 0.5."""

    map: float
    map50: float
    ap_C: np.ndarray  # noqa: N815  (shape suffix: C classes)
    ap50_C: np.ndarray  # noqa: N815
    precision50_CR: np.ndarray  # noqa: N815  (R recalls)


def coco_scores(answers: list[Target], truths: list[Target], class_count: int) -> CocoScores:
    """Scores of all images together; means run over the classes that have true boxes."""
    metric = MeanAveragePrecision(backend="pycocotools", extended_summary=True)
    # COCO numbers only the classes it met; the ids of these are the ones in use.
    met = sorted({int(label) for one in (*answers, *truths) for label in one["labels"]})
    metric.update(answers, truths)
    precision = metric.compute()["precision"].numpy()[..., 0, -1]  # IoU, recall, class met
    precision = np.where(precision < 0, np.nan, precision)
    by_class = np.full((len(precision), len(RECALLS), class_count), np.nan)
    for position, class_id in enumerate(met):
        by_class[:, :, class_id] = precision[:, :, position]
    ap_c, ap50_c = by_class.mean(axis=(0, 1)), by_class[0].mean(axis=0)
    return CocoScores(_mean_of_known(ap_c), _mean_of_known(ap50_c), ap_c, ap50_c, by_class[0].T)


def _mean_of_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def above(answer: Target, confidence: float) -> Target:
    """The boxes of an answer from this confidence up."""
    keep = answer["scores"] >= confidence
    return {name: value[keep] for name, value in answer.items()}


def on_cpu(target: Target) -> Target:
    """Detached copies in main memory."""
    return {name: torch.as_tensor(value).detach().cpu() for name, value in target.items()}
