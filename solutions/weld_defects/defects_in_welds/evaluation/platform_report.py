"""Shows a finished test in the workstation: its metrics as tabs. Computes nothing that is not in the arguments."""

import numpy as np

import PlatformAPI
from defects_in_welds.evaluation.coco_scores import RECALLS, CocoScores
from defects_in_welds.evaluation.confusion import ImageFaults, precision_recall_f1


def report_scores(scores: CocoScores, counts: np.ndarray, classes: list[str], condition: str) -> None:
    """mAP, per-class table, confusion matrix, precision-recall curves. `condition` names the confidence and IoU."""
    metrics = PlatformAPI.get_test_metrics_logger()
    metrics.log_table("mAP", {"mAP50": [scores.map50], "mAP50-95": [scores.map]}, description="COCO, all confidences")
    rows = [
        [_number(scores.ap50_C[i]), _number(scores.ap_C[i]), *precision_recall_f1(counts, i), int(counts[i].sum())]
        for i in range(len(classes))
    ]
    columns = ["AP50", "AP50-95", "precision", "recall", "F1", "boxes"]
    metrics.log_table("Classes", rows, columns, index=classes, description=f"precision, recall, F1: {condition}")
    metrics.log_confusion_matrix("Confusion matrix", counts, [*classes, "background"], condition)
    steps = range(0, len(RECALLS), 5)
    curves = [[_number(scores.precision50_CR[i, step]) for i in range(len(classes))] for step in steps]
    recalls = [f"{RECALLS[step]:.2f}" for step in steps]
    metrics.log_table(
        "Precision by recall", curves, classes, index=recalls, description="IoU 0.50; rows are the recall"
    )


def report_images(
    names: list[str], faults: list[ImageFaults], confidences: np.ndarray, worst_count: int, condition: str
) -> None:
    """Histogram of confidences, statistics over the images, and the images with the most faults."""
    metrics = PlatformAPI.get_test_metrics_logger()
    heights, edges = np.histogram(confidences, bins=20, range=(0, 1))
    metrics.log(PlatformAPI.Histogram("Confidence of the boxes", heights, edges, "all boxes, before the threshold"))
    table = np.array([[one.missed, one.false_alarms, one.wrong_class, one.total] for one in faults], dtype=float)
    columns = ["missed", "false alarms", "wrong class", "all faults"]
    summary = [table.mean(0), table.std(0), *(np.quantile(table, q, axis=0) for q in (0, 0.25, 0.5, 0.75, 1))]
    index = ["mean", "std", "min", "25%", "50%", "75%", "max"]
    metrics.log_table("Statistics over the test sample", summary, columns, index, f"faults of an image: {condition}")
    order = sorted(range(len(names)), key=lambda i: (-faults[i].total, names[i]))[:worst_count]
    worst = [[int(value) for value in table[i]] for i in order if faults[i].total]
    metrics.log_table("Worst images", worst, columns, [names[i] for i in order if faults[i].total], condition)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
