"""Metrics of torchmetrics with one interface, and their unfolding into a table over all classes or all records."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from atp.registry import register
from atp.runtime.local_platform import current_platform

DEFAULTS = {
    "classification": ("Accuracy", "F1Score", "Precision", "Recall"),
    "segmentation": ("JaccardIndex", "F1Score", "Accuracy"),
    "detection": ("map", "map_50"),
}
Row = dict[str, Any]


@register("Metrics", inputs={"answers": None, "targets": None}, outputs={"values": dict})
class Metrics:
    """Counts batches (`"@metrics": [$answers, $targets]`), then `compute` gives {name: value} and `report` tables.

    Answers are logits (B, C), logits (B, C, H, W), or lists of {boxes, labels, scores}.

    Args:
        task: classification, segmentation or detection
        classes: names of the outputs by id; a segmentation's first one is the background
        names: Accuracy, F1Score, JaccardIndex … of torchmetrics; of a detection map, map_50, mar_100
        keep_records: keep what the table over records needs
    """

    def __init__(
        self, task: str, classes: Sequence[str], names: Sequence[str] = (), keep_records: bool = False
    ) -> None:
        if task not in DEFAULTS:
            raise ValueError(f"task is {task!r}; it can be {', '.join(DEFAULTS)}")
        self.task, self.classes = task, [str(name) for name in classes]
        self.names = list(names) or list(DEFAULTS[task])
        self._is_kept = keep_records
        self._records: list[Row] = []
        self._total, self._by_class = self._made("macro"), self._made("none")
        self._alone = self._made("macro")

    def __call__(self, answers: Any, targets: Any) -> None:
        """Count one batch."""
        answers, targets = _plain(answers), _plain(targets)
        for metric in (self._total, self._by_class):
            if metric is not None:
                metric.to(_device(targets))
                metric.update(answers, targets)
        if self._is_kept:
            self._records += [self._record(answers[i : i + 1], targets[i : i + 1]) for i in range(len(targets))]

    def reset(self) -> None:
        """Forget everything counted."""
        self._records = []
        for metric in (self._total, self._by_class):
            if metric is not None:
                metric.reset()

    def compute(self) -> dict[str, float]:
        """Value of each metric over everything counted; classes weigh the same, except in Accuracy."""
        return self._values(self._total)

    def by_class(self) -> dict[str, list[float]]:
        """Metric → its value for each class; one that was not met is 0, of a detection NaN."""
        if self.task != "detection":
            assert self._by_class is not None
            counted = self._by_class.compute()
            return {name: [float(value) for value in counted[name]] for name in self.names}
        found = self._total.compute()
        places = {int(label): place for place, label in enumerate(found["classes"].reshape(-1).tolist())}
        columns = {"map": found["map_per_class"].reshape(-1), "mar_100": found["mar_100_per_class"].reshape(-1)}
        return {
            name: [
                _share(values[places[label]]) if label in places else float("nan") for label in range(len(self.classes))
            ]
            for name, values in columns.items()
        }

    def by_record(self) -> list[Row]:
        """Metric → value for each record in the order of updates, with answer and truth of a classification."""
        if not self._is_kept:
            raise ValueError("records were not kept: create Metrics with keep_records: true")
        return list(self._records)

    def report(self, over: str = "classes", name: str = "", index: Sequence[str] | None = None) -> None:
        """Log a table over all `classes` or all `records`; `index` names the records, e.g. `"@val_set.names"`."""
        if over not in ("classes", "records"):
            raise ValueError(f"over is {over!r}; it can be classes or records")
        rows: Any = self.by_class() if over == "classes" else _columns(self.by_record())
        labels = self.classes if over == "classes" else None if index is None else list(index)[: len(self._records)]
        platform = current_platform()
        table = platform.Table(name or f"Metrics by {over}", rows, index=labels)
        platform.get_test_metrics_logger().log(table)

    def _made(self, average: str) -> Any:
        import torchmetrics

        if self.task == "detection":
            from torchmetrics.detection import MeanAveragePrecision

            metric = MeanAveragePrecision(backend="pycocotools", class_metrics=average == "macro")
            metric.warn_on_many_detections = False
            return metric if average == "macro" else None
        return torchmetrics.MetricCollection(
            {
                name: _metric_class(name)(
                    num_classes=len(self.classes),
                    average="micro" if (name, average) == ("Accuracy", "macro") else average,
                )
                for name in self.names
            }
        )

    def _values(self, metric: Any) -> dict[str, float]:
        found = metric.compute()
        if self.task == "detection":
            return {name: _share(found[name]) for name in self.names}
        return {name: float(found[name]) for name in self.names}

    def _record(self, answer: Any, target: Any) -> Row:
        if self.task == "classification":
            confidence, label = answer.softmax(1).max(1)
            truth, said = self.classes[int(target)], self.classes[int(label)]
            return {"truth": truth, "answer": said, "is_right": truth == said, "confidence": float(confidence)}
        self._alone.reset()
        self._alone.to(_device(target))
        self._alone.update(answer, target)
        row: Row = self._values(self._alone)
        if self.task == "detection":
            row |= {"objects": len(target[0]["labels"]), "found": len(answer[0]["labels"])}
        return row


def _metric_class(name: str) -> Any:
    from torchmetrics import classification

    found = getattr(classification, f"Multiclass{name}", None)
    if found is None:
        prefix = "Multiclass"
        known = [key.removeprefix(prefix) for key in vars(classification) if key.startswith(prefix)]
        raise ValueError(f"torchmetrics has no metric {name!r}; it has {', '.join(sorted(known))}")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value]


def _device(targets: Any) -> Any:
    return targets.device if isinstance(targets, Tensor) else targets[0]["labels"].device


def _share(value: Any) -> float:
    """COCO says -1 where there is no true box: nothing was found there either."""
    return max(0.0, float(value))


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}
