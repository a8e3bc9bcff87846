"""ONNX of weld_defects: NMS inside, any image size, refused when it answers otherwise; the predict command."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from defects_in_welds.data.yolo_folder import read_yolo_folder
from defects_in_welds.export import onnx_file
from defects_in_welds.export.engines import open_engine
from defects_in_welds.export.onnx_file import ParityError, compare
from defects_in_welds.export.weights import parity_images, write_weights
from defects_in_welds.model.detector import WeldDetector
from defects_in_welds.predict import predict_folder
from defects_in_welds.training import run_training
from defects_in_welds.training.fit import Fitted
from defects_in_welds.training.platform_adapter import config_from_params
from PIL import Image

import PlatformAPI
from PlatformAPI import run_context

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
SETTINGS = {
    "name": "efficientnet_lite0_fpn", "is_pretrained": False, "weights_path": "", "frozen_stages": 0,
    "finest_stride": 8, "fpn_channels": 32, "short_side": 96, "long_side": 128,
}  # fmt: skip
CLASSES = ["пора", "crack", "undercut"]


@pytest.fixture(scope="module")
def detector() -> WeldDetector:
    """Untrained, but its scores differ: with those near each other any rounding would change the order."""
    torch.manual_seed(0)
    detector = WeldDetector(CLASSES, SETTINGS)
    with torch.no_grad():
        detector.network.roi_heads.box_predictor.cls_score.weight.mul_(6)
        detector.network.rpn.head.cls_logits.weight.mul_(30)
    return detector.eval()


@pytest.fixture(scope="module")
def weights(detector: WeldDetector, weld_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.save({"state_dict": {f"detector.{key}": value for key, value in detector.state_dict().items()}}, folder / "b")
    info = write_weights(folder / "b", folder, read_yolo_folder(weld_folder).samples["valid"], has_onnx=True)
    assert info["parity_images"] == 4 and info["parity_boxes"] > 20
    assert info["least_iou"] >= 0.99 and info["max_score_difference"] <= 1e-3
    return folder


def test_one_file_answers_images_of_any_size(weights: Path, detector: WeldDetector) -> None:
    session = onnxruntime.InferenceSession(weights / "weld_defects.onnx", providers=["CPUExecutionProvider"])
    for height, width in ((40, 200), (333, 90), (96, 96), (120, 161)):
        image = torch.rand(3, height, width)
        boxes, labels, scores = session.run(["boxes", "labels", "scores"], {"image": image.numpy()})
        with torch.inference_mode():
            wanted = detector([image])[0]
        given = {"boxes": torch.tensor(boxes), "labels": torch.tensor(labels), "scores": torch.tensor(scores)}
        least_iou, difference = compare(wanted, given, "image", least_score=0.02)
        assert least_iou >= 0.99 and difference <= 1e-3 and len(scores) > 0
        assert boxes[:, 2].max() <= width and boxes[:, 3].max() <= height
        assert set(labels.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("fault", ["score", "label", "shift", "lost", "nan"])
def test_an_answer_that_differs_is_refused(fault: str) -> None:
    wanted = {
        "boxes": torch.tensor([[10.0, 10, 50, 50], [60, 10, 90, 80]]),
        "labels": torch.tensor([0, 1]),
        "scores": torch.tensor([0.9, 0.6]),
    }
    given = {name: value.clone() for name, value in wanted.items()}
    assert compare(wanted, given, "image") == (1.0, 0.0)
    if fault == "score":
        given["scores"][1] += 0.002
    elif fault == "label":
        given["labels"][0] = 1
    elif fault == "shift":
        given["boxes"][0] += 1.0
    elif fault == "nan":
        given["scores"][0] = torch.nan
    else:
        given = {name: value[:1] for name, value in given.items()}
    with pytest.raises(ParityError, match="image"):
        compare(wanted, given, "image")


def test_a_bad_file_is_not_left_behind_nor_offered(
    detector: WeldDetector, weld_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written from a detector whose weights were changed after the trace: the check at export finds it."""
    write = onnx_file.write_onnx

    def write_another(_: WeldDetector, path: Path, example: torch.Tensor) -> None:
        torch.manual_seed(1)
        write(WeldDetector(CLASSES, SETTINGS).eval(), path, example)

    monkeypatch.setattr(onnx_file, "write_onnx", write_another)
    monkeypatch.setenv("ARM_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(run_context, "_current", None)
    images = parity_images(detector, read_yolo_folder(weld_folder).samples["valid"])
    with pytest.raises(ParityError):
        PlatformAPI.CombSaver._save(detector, "weld_defects", images)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == ["weld_defects.pth"]
    events = "".join(path.read_text() for path in (tmp_path / "events").iterdir())
    assert "weld_defects.pth" in events and ".onnx" not in events


def test_a_detector_that_finds_nothing_yet_is_compared_before_the_threshold(
    weld_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    hesitant = WeldDetector(CLASSES, SETTINGS).eval()
    with torch.no_grad():
        hesitant.network.roi_heads.box_predictor.cls_score.bias[0] = 9  # all is background
    images = parity_images(hesitant, read_yolo_folder(weld_folder).samples["valid"])
    info = hesitant.export_onnx(tmp_path / "a.onnx", images)
    assert info["parity_boxes"] == 0 and 0 < info["max_raw_difference"] <= 1e-3
    assert [one.name for one in onnxruntime.InferenceSession(tmp_path / "a.onnx").get_outputs()] == [
        "boxes", "labels", "scores",
    ]  # fmt: skip
    write = onnx_file.write_onnx
    for layer in ("rpn.head.bbox_pred", "roi_heads.box_head.fc6"):

        def write_changed(detector: WeldDetector, path: Path, example: torch.Tensor, layer: str = layer) -> None:
            other = copy.deepcopy(detector)
            with torch.no_grad():
                other.network.get_submodule(layer).weight.mul_(1.05)
            write(other, path, example)

        monkeypatch.setattr(onnx_file, "write_onnx", write_changed)
        with pytest.raises(ParityError, match="before any threshold"):
            hesitant.export_onnx(tmp_path / "b.onnx", images)
        assert not (tmp_path / "b.onnx").exists()


def test_the_saver_of_the_platform_takes_the_file_of_the_detector(
    detector: WeldDetector, weld_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARM_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(run_context, "_current", None)
    images = parity_images(detector, read_yolo_folder(weld_folder).samples["valid"])
    saved = PlatformAPI.CombSaver._save(detector, "weld_defects", images)
    assert [path.suffix for path in saved.paths] == [".pth", ".onnx"] and saved.info["least_iou"] >= 0.99
    assert open_engine(saved.paths[1]).classes == CLASSES


def test_both_engines_write_the_same_markup_and_overlays(weights: Path, tmp_path: Path) -> None:
    images = tmp_path / "photos"
    images.mkdir()
    generator = torch.Generator().manual_seed(2)
    for name, (width, height) in (("a.jpg", (160, 120)), ("a.png", (90, 200)), ("big.png", (1200, 900))):
        noise = torch.randint(0, 255, (height // 10, width // 10, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray(noise.numpy()).resize((width, height)).save(images / name)
    (images / "broken.jpg").write_bytes(b"no image")
    found = {}
    for engine, file in (("torch", "weld_defects.pth"), ("onnx", "weld_defects.onnx")):
        done = predict_folder(open_engine(weights / file, engine), images, tmp_path / engine, confidence=0.3)
        assert done == (3, 1)
        found[engine] = {p.name: json.loads(p.read_text()) for p in (tmp_path / engine / "markup").iterdir()}
        assert {p.name for p in (tmp_path / engine / "overlays").iterdir()} == {"a.jpg.jpg", "a.png.jpg", "big.jpg"}
    assert set(found["onnx"]) == {"a.jpg.json", "a.png.json", "big.json"}
    boxes = 0
    for name, markup in found["torch"].items():
        other = found["onnx"][name]
        assert markup["version"] == 1 and len(markup["annotation"]) == len(other["annotation"])
        for one in markup["annotation"]:
            # Boxes of nearly the same confidence may come in another order.
            assert any(
                one["class"] == two["class"]
                and abs(one["confidence"] - two["confidence"]) <= 1e-3
                and np.allclose(one["shape"]["exterior"], two["shape"]["exterior"], atol=1)
                for two in other["annotation"]
            )
            boxes += 1
    assert boxes > 3
    widest = max(x for one in found["onnx"]["big.json"]["annotation"] for x, _ in one["shape"]["exterior"])
    assert 256 < widest <= 1200.01, "boxes are in pixels of the file, not of what the network saw"


def test_the_command_with_onnx_needs_no_torch(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (160, 120), "gray").save(tmp_path / "photos" / "a.jpg")
    code = (
        "import sys, runpy; sys.modules['torch'] = None; "
        "sys.argv = ['predict', *sys.argv[1:]]; runpy.run_module('defects_in_welds.predict', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, weights / "weld_defects.onnx", tmp_path / "photos", "--out", tmp_path / "out"],
        cwd=SOLUTION, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 images" in done.stdout and (tmp_path / "out" / "markup" / "a.json").is_file()


def test_weights_and_engine_that_do_not_fit_are_told(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="for the engine onnx, not for torch"):
        open_engine(weights / "weld_defects.onnx", "torch")
    with pytest.raises(FileNotFoundError, match="train first"):
        open_engine(tmp_path / "none.onnx")


def test_a_training_ends_well_though_its_onnx_file_is_refused(
    weld_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of the comparison ended `dvc repro` after an hour: nothing of the training was kept."""

    def refused(best: Path, *_: object) -> dict:
        raise ParityError("image 1 of 4: differs")

    monkeypatch.setattr(run_training, "write_weights", refused)
    monkeypatch.setattr(run_training, "fit", lambda *_, **__: Fitted(tmp_path / "best", tmp_path / "history", 0.5))
    changed = {"data": {"folder": str(weld_folder), "language": "en"}}
    config = config_from_params(changed, SOLUTION / "configs", "cpu")
    assert run_training.train_from_folder(config, tmp_path).val_map == 0.5
    assert "no ONNX file is offered" in capsys.readouterr().err
