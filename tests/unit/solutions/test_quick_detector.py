"""The tutorial solution: its scripts run as real processes, its metrics and targets are right on cases done by hand."""

import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

FOLDER = Path(__file__).parents[3] / "solutions" / "quick_detector"


def load(name: str) -> ModuleType:
    """A module of the solution by path: solutions are no package, and their names (`model`) are too plain to import."""
    spec = importlib.util.spec_from_file_location(f"quick_detector_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def metrics() -> Iterator[ModuleType]:
    yield load("metrics")


@pytest.fixture(scope="module")
def model() -> Iterator[ModuleType]:
    yield load("model")


def boxes(*rows: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def test_training_and_test_report_everything_and_keep_stderr_clean(run_folder: Callable) -> None:
    run = run_folder("quick_detector")
    done = run.start("train", epochs=2, batch_size=3, image_size=64, width=8)
    assert (done.returncode, done.stderr) == (0, "")
    progress = [event["v"] for event in run.events("progress")]
    assert progress[0] == 0 and progress[-1] == 100 and progress == sorted(progress)
    points = run.events("point")
    assert {"train_loss", "learning_rate", "train_loss_epoch", "val_loss"} == {point["name"] for point in points}
    assert [(p["e"], p["i"]) for p in points if p["name"] == "train_loss"] == [(1, 1), (1, 2), (2, 3), (2, 4)]
    assert all(math.isfinite(point["v"]) for point in points)
    assert {"pytorch", "onnx"} == {event["kind"] for event in run.events("artifact")}
    onnx = next(event for event in run.events("artifact") if event["kind"] == "onnx")
    assert onnx["info"]["max_abs_difference"] < 1e-3

    (run.root / "weights").mkdir()
    (run.root / "artifacts" / "quick_detector.pth").rename(run.root / "weights" / "quick_detector.pth")
    done = run.start("test", weights=["weights/quick_detector.pth"], confidence=0.0)
    assert (done.returncode, done.stderr) == (0, "")
    results = run.events("result")
    assert len(results) == 2
    for result in results:
        for annotation in result["markup"]["annotation"]:
            (x1, y1), (x2, y2) = annotation["shape"]["exterior"]
            assert 0 <= x1 <= x2 <= 160 and 0 <= y1 <= y2 <= 120
    confusion = next(event["data"] for event in run.events("metric") if event["kind"] == "confusion")
    assert confusion["labels"] == [*run.classes, "background"]
    tables = {event["name"] for event in run.events("metric") if event["kind"] == "table"}
    assert tables == {"Classes", "Statistics over the test sample", "Summary"}


def test_without_weights_the_test_says_what_to_do(run_folder: Callable) -> None:
    done = run_folder("quick_detector").start("test")
    assert done.returncode == 1
    assert "choose a finished training run" in done.stderr and "Traceback" not in done.stderr


def test_weights_of_other_classes_are_refused(run_folder: Callable, model: ModuleType) -> None:
    run = run_folder("quick_detector")
    (run.root / "weights").mkdir()
    torch.save(model.QuickDetector(class_count=3, width=8).state_dict(), run.root / "weights" / "other.pth")
    done = run.start("test", weights=["weights/other.pth"])
    assert done.returncode == 1
    assert "the weights know 3 classes, the sample has 5" in done.stderr


def test_targets_decode_back_into_the_boxes_they_were_drawn_from(model: ModuleType) -> None:
    truth, labels = boxes((10, 14, 30, 22), (40, 8, 52, 60)), torch.tensor([1, 0])
    heat, values, is_centre = model.draw_targets([truth], [labels], class_count=2, side=16)
    assert int(is_centre.sum()) == 2
    output = torch.cat([torch.logit(heat, eps=1e-4), values], dim=1)
    found, scores, ids = model.find_boxes(output, least_confidence=0.9)[0]
    order = found[:, 0].argsort()
    assert torch.allclose(found[order], truth, atol=1e-3)
    assert ids[order].tolist() == [1, 0] and bool((scores > 0.99).all())


def test_an_image_without_boxes_gives_a_finite_loss_with_a_gradient(model: ModuleType) -> None:
    net = model.QuickDetector(class_count=2, width=8, image_size=32)
    targets = model.draw_targets([boxes()], [torch.zeros(0, dtype=torch.int64)], class_count=2, side=8)
    loss = model.detection_loss(net(torch.rand(1, 3, 32, 32)), *targets)
    loss.backward()
    assert math.isfinite(loss.item()) and bool(net.head.bias.grad.abs().sum() > 0)


def test_average_precision_of_a_case_done_by_hand(metrics: ModuleType) -> None:
    """Two true boxes; the surest detection hits, the second misses, the third hits: AP = (1/1 + 2/3) / 2."""
    truths = [(boxes((0, 0, 10, 10), (20, 20, 30, 30)), torch.tensor([0, 0]))]
    found = boxes((0, 0, 10, 10), (50, 50, 60, 60), (20, 20, 30, 30))
    detections = [(found, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 0]))]
    assert metrics.average_precision(truths, detections, 0, 0.5) == pytest.approx((1 + 2 / 3) / 2)
    assert math.isnan(metrics.average_precision(truths, detections, 1, 0.5))


def test_a_second_box_on_the_same_defect_is_a_false_alarm(metrics: ModuleType) -> None:
    truths = [(boxes((0, 0, 10, 10)), torch.tensor([0]))]
    detections = [(boxes((0, 0, 10, 10), (0, 0, 10, 9)), torch.tensor([0.9, 0.8]), torch.tensor([0, 0]))]
    counts = metrics.confusion(truths, detections, class_count=1, least_iou=0.5)
    assert counts.tolist() == [[1, 0], [1, 0]]
    assert metrics.precision_recall_f1(counts, 0) == pytest.approx((0.5, 1.0, 2 / 3))


def test_confusion_has_a_background_row_and_column(metrics: ModuleType) -> None:
    truths = [(boxes((0, 0, 10, 10), (20, 20, 30, 30)), torch.tensor([0, 1])), (boxes(), torch.tensor([]).long())]
    detections = [
        (boxes((0, 0, 10, 10)), torch.tensor([0.9]), torch.tensor([1])),
        (boxes((5, 5, 9, 9)), torch.tensor([0.6]), torch.tensor([0])),
    ]
    counts = metrics.confusion(truths, detections, class_count=2, least_iou=0.5)
    assert counts.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
