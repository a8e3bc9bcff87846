"""The tutorial for one's own code: its scripts run as real processes, its crops are those that the markup says."""

import importlib.util
import json
import math
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

FOLDER = Path(__file__).parents[3] / "solutions" / "classification"


def load(name: str) -> ModuleType:
    """A module of the solution by path: solutions are no package, and their names (`model`) are too plain to import."""
    spec = importlib.util.spec_from_file_location(f"classification_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dataset() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "texts", load("texts"))
        yield load("dataset")


@pytest.fixture(scope="module")
def model() -> ModuleType:
    return load("model")


def after_training(run: Any, **changed: Any) -> Any:
    done = run.start("train", **changed)
    assert (done.returncode, done.stderr) == (0, "")
    (run.root / "weights").mkdir()
    (run.root / "artifacts" / "classification.pth").rename(run.root / "weights" / "classification.pth")
    return run


def after_test(run: Any, **changed: Any) -> Any:
    done = run.start("test", weights=["weights/classification.pth"], **changed)
    assert (done.returncode, done.stderr) == (0, "")
    return run


def test_training_reports_progress_graphs_and_weights(run_folder: Callable) -> None:
    run = after_training(run_folder("classification"), epochs=2, batch_size=8, crop_size=24, width=4)
    progress = [event["v"] for event in run.events("progress")]
    assert progress[0] == 0 and progress[-1] == 100 and progress == sorted(progress)
    points = run.events("point")
    assert {"train_loss", "val_loss", "val_accuracy"} == {point["name"] for point in points}
    assert [point["e"] for point in points if point["name"] == "val_loss"] == [1, 2]
    assert all(math.isfinite(point["v"]) for point in points)
    onnx = next(event for event in run.events("artifact") if event["kind"] == "onnx")
    assert onnx["info"]["max_abs_difference"] < 1e-3
    assert any("too few to learn from" in event["text"] for event in run.events("message"))


def test_a_training_of_five_steps_ends(run_folder: Callable) -> None:
    """All crops in one batch, five epochs: the schedule divided by zero."""
    run = after_training(run_folder("classification"), epochs=5, batch_size=1024, crop_size=24, width=4)
    assert run.events("progress")[-1]["v"] == 100


def test_the_test_counts_every_box_once_and_names_it_where_it_is(run_folder: Callable) -> None:
    run = after_test(after_training(run_folder("classification"), epochs=1, crop_size=24, width=4))
    lines = (run.root / "inputs" / "test.jsonl").read_text().splitlines()
    truths = {entry["name"]: entry["markup"]["annotation"] for entry in map(json.loads, lines)}
    metrics = {event["name"]: event for event in run.events("metric")}
    matrix = metrics["Confusion matrix"]["data"]
    assert matrix["labels"] == [*run.classes, "background"]
    for name, row in zip(run.classes, matrix["values"], strict=False):
        assert sum(row) == sum(one["class"] == name for annotation in truths.values() for one in annotation)
    assert {"Classes", "Summary"} <= {name for name, event in metrics.items() if event["kind"] == "table"}
    assert sum(metrics["Confidence of the answers"]["data"]["counts"]) == np.sum(matrix["values"])

    results = {event["image"]: event["markup"]["annotation"] for event in run.events("result")}
    assert results.keys() == truths.keys()
    named = sum(np.array(matrix["values"])[:, :-1].flatten())
    assert sum(len(annotation) for annotation in results.values()) == named
    for annotation in (one for found in results.values() for one in found):
        assert annotation["description"] == "Classification" and 0 < annotation["confidence"] <= 1

    after_test(run, confidence=1.0)
    assert not any(event["markup"]["annotation"] for event in run.events("result"))


def test_it_learns_to_tell_two_kinds_of_marks_apart(run_folder: Callable) -> None:
    """Bright and dark squares on grey: far easier than welds, so anything short of nearly all right is a bug."""
    run = run_folder("classification")
    run.classes = ["bright", "dark"]
    rng = np.random.default_rng(3)
    for role in ("train", "val", "test"):
        lines = []
        for number in range(12):
            pixels = rng.integers(100, 150, (80, 120, 3), dtype=np.uint8)
            pixels[20:44, 10:34], pixels[30:54, 60:84] = 230, 20
            name = f"{role}{number}"
            Image.fromarray(pixels).save(run.root / "inputs" / "objects" / name, "PNG")
            annotation = [
                {"class": label, "shape": {"type": "rectangle", "exterior": [[x, y], [x + 24, y + 24]]}}
                for label, x, y in (("bright", 10, 20), ("dark", 60, 30))
            ]
            markup = {"version": 1, "annotation": annotation}
            lines.append(
                json.dumps({"name": f"{name}.png", "image": name, "width": 120, "height": 80, "markup": markup})
            )
        (run.root / "inputs" / f"{role}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    after_test(after_training(run, epochs=20, batch_size=4, crop_size=16, width=4))
    summary = next(event["data"] for event in run.events("metric") if event["name"] == "Summary")
    assert dict(zip(summary["columns"], summary["rows"][0], strict=True))["mean recall"] > 0.9


def test_messages_are_in_the_language_of_the_page(run_folder: Callable) -> None:
    run = after_training(run_folder("classification"), page_language="ru", epochs=1, crop_size=24, width=4)
    told = [event["text"] for event in run.events("message")]
    assert any(one.startswith("эпоха 1 из 1: на валидации потери ") for one in told)
    after_test(run, page_language="ru")
    told += [event["text"] for event in run.events("message")]
    assert any(one.startswith("доля верных ответов ") for one in told)
    assert not [one for one in told if not re.search("[а-я]", one)]


def test_every_text_has_both_languages_with_the_same_holes() -> None:
    for code, one in load("texts").TEXTS.items():
        english, russian = (set(re.findall(r"{(\w+)", one[language])) for language in ("en", "ru"))
        assert set(one) == {"en", "ru"} and english == russian, code


def test_without_weights_the_test_says_what_to_do(run_folder: Callable) -> None:
    done = run_folder("classification").start("test")
    assert done.returncode == 1
    assert "choose a finished training run" in done.stderr and "Traceback" not in done.stderr


def test_weights_of_other_classes_are_refused(run_folder: Callable, model: ModuleType) -> None:
    run = run_folder("classification")
    (run.root / "weights").mkdir()
    torch.save(model.CropClassifier(class_count=3, width=4).state_dict(), run.root / "weights" / "other.pth")
    done = run.start("test", weights=["weights/other.pth"])
    assert done.returncode == 1
    assert "the weights know 3 classes, the sample has 6" in done.stderr


def test_a_piece_of_background_touches_no_box_and_has_the_size_of_one(dataset: ModuleType) -> None:
    boxes = [(10.0, 10.0, 30.0, 50.0), (60.0, 0.0, 100.0, 20.0)]
    for seed in range(50):
        x1, y1, x2, y2 = dataset.unmarked_piece(boxes, (200, 100), random.Random(seed))
        assert 0 <= x1 < x2 <= 200 and 0 <= y1 < y2 <= 100
        assert (round(x2 - x1), round(y2 - y1)) in {(20, 40), (40, 20)}
        assert all(x2 <= left or right <= x1 or y2 <= top or bottom <= y1 for left, top, right, bottom in boxes)
    assert dataset.unmarked_piece([(0.0, 0.0, 200.0, 100.0)], (200, 100), random.Random(0)) is None
    assert dataset.unmarked_piece([], (200, 100), random.Random(0)) is not None


def test_a_class_without_a_shape_is_the_whole_image(dataset: ModuleType, tmp_path: Path) -> None:
    shapes = [{}, {"type": "rectangle", "exterior": [[-5, 3], [10, 40]]}, {"exterior": [[7, 7], [7, 9]]}]
    path = tmp_path / "markup.json"
    path.write_text(json.dumps({"annotation": [{"class": "pore", "shape": shape} for shape in shapes]}))
    assert dataset.read_markup(str(path), ["crack", "pore"], (40, 30)) == [((0, 0, 40, 30), 1), ((0, 3, 10, 30), 1)]


def test_weights_carry_the_size_of_the_crop(model: ModuleType, tmp_path: Path) -> None:
    net = model.CropClassifier(class_count=3, width=8, crop_size=32).eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    again = model.CropClassifier.from_weights(tmp_path / "net.pth")
    crops = torch.rand(2, 3, 32, 32)
    assert int(again.crop_size) == 32 and torch.equal(again(crops), net(crops))
