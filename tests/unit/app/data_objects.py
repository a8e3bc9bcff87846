"""Contract objects of datasets, results and solutions for tests of the UI; any field can be given."""

from typing import Any

from backend.contracts.datasets import DatasetItem, ItemRevision
from backend.contracts.markup import Annotation, Markup, Shape
from backend.contracts.projects import Code, CodeFile, Solution, Weights
from backend.contracts.reports import Result
from tests.unit.app import contract_objects
from tests.unit.app.contract_objects import NOW

HOSTILE = '<img src=x onerror="window.hacked=1">**x** [y](javascript:1)'


def markup(*boxes: tuple[Any, ...]) -> Markup:
    """Markup of (class, x1, y1, x2, y2[, confidence]) tuples."""
    return Markup(
        annotation=tuple(
            Annotation(
                class_name=box[0],
                confidence=box[5] if len(box) > 5 else None,
                shape=Shape(type="rectangle", exterior=((box[1], box[2]), (box[3], box[4]))),
            )
            for box in boxes
        )
    )


def item(**fields: Any) -> DatasetItem:
    """A 640 x 480 image with one crack."""
    defaults = {"id": "i1", "dataset_id": "d1", "split": "train", "name": "weld_1.jpg", "image": "ab" * 32}
    defaults |= {"width": 640, "height": 480, "size_bytes": 9000, "revision": 1, "updated_at": NOW}
    return DatasetItem(**{**defaults, "markup": markup(("crack", 10.2, 20.4, 110.6, 90.8)), **fields})


def revision(**fields: Any) -> ItemRevision:
    """The imported state of `item`."""
    defaults = {"item_id": "i1", "revision": 1, "source": "import", "created_at": NOW, "markup": item().markup}
    return ItemRevision(**{**defaults, **fields})


def result(**fields: Any) -> Result:
    """One hit, one extra, one missed."""
    defaults: dict[str, Any] = {"index": 0, "name": "weld_1.jpg", "description": "ObjectDetection", "item_id": "i1"}
    defaults |= {"dataset_id": "d1", "image": "ab" * 32, "width": 640, "height": 480}
    defaults |= {
        "prediction": markup(("crack", 10, 20, 110, 90, 0.9), ("pore", 300, 300, 320, 320, 0.4)),
        "truth": markup(("crack", 12, 22, 112, 92), ("pore", 500, 100, 520, 120)),
    }
    return Result(**{**defaults, **fields})


def solution(**fields: Any) -> Solution:
    """An exported solution with ONNX weights."""
    defaults = {"id": "s1", "name": "Welds", "version": 1, "train_file": "train.py", "test_file": "test.py"}
    defaults |= {
        "code": Code(sha256="c0" * 32, files=(CodeFile(path="train.py", size_bytes=900, sha256="f0" * 32),)),
        "parameters": contract_objects.project().parameters,
        "weights": (Weights(path="weights/model.onnx", format="onnx", sha256="d0" * 32, size_bytes=1_000_000),),
        "project_id": "p1",
        "created_at": NOW,
    }
    return Solution(**{**defaults, **fields})
