"""weld_defects as it is run, each time a real process: by the workstation's launch files and by Hydra."""

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from defects_in_welds.settings_check import SettingError, check_settings
from hydra import compose, initialize_config_dir

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
SMALL = {"finest_stride": "8", "short_side": 128, "long_side": 160, "workers": 0, "is_pretrained": False}


def history_epochs(run: Any) -> list[int]:
    history = json.loads((run.root / "artifacts" / "metrics" / "history.json").read_text())
    assert "val_mAP" in history["best"]
    return [entry["epoch"] for entry in history["epochs"]]


def test_training_resuming_and_test_report_everything_and_keep_stderr_clean(run_folder: Callable) -> None:
    run = run_folder("weld_defects")
    done = run.start("train", epochs=1, batch_size=3, **SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    progress = [event["v"] for event in run.events("progress")]
    assert progress[0] == 0 and progress[-1] == 100 and progress == sorted(progress)
    points = run.events("point")
    assert {"train_loss", "train_classifier", "learning_rate", "train_loss_epoch", "val_mAP", "val_mAP50"} <= {
        point["name"] for point in points
    }
    assert [(p["e"], p["i"]) for p in points if p["name"] == "train_loss"] == [(1, 1), (1, 2)]
    assert all(math.isfinite(point["v"]) for point in points)
    artifacts = {event["path"]: event["kind"] for event in run.events("artifact")}
    assert artifacts == {
        "checkpoints/best_model.ckpt": "checkpoint",
        "checkpoints/last.ckpt": "checkpoint",
        "metrics/history.json": "file",
        "weld_defects.onnx": "onnx",
        "weld_defects.pth": "pytorch",
    }
    onnx = next(event["info"] for event in run.events("artifact") if event["kind"] == "onnx")
    assert onnx["least_iou"] >= 0.99 and onnx["max_score_difference"] <= 1e-3 and onnx["parity_images"] == 4
    assert history_epochs(run) == [1]

    last = shutil.move(run.root / "artifacts" / "checkpoints" / "last.ckpt", run.root / "last_of_before.ckpt")
    done = run.start("train", epochs=2, batch_size=3, resume=str(last), onnx=False, **SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert [(p["e"], p["i"]) for p in run.events("point") if p["name"] == "train_loss"] == [(2, 3), (2, 4)]
    assert history_epochs(run) == [1, 2]

    (run.root / "weights").mkdir()
    shutil.move(run.root / "artifacts" / "weld_defects.pth", run.root / "weights")
    done = run.start("test", weights=["weights/weld_defects.pth"], workers=0, confidence=0.0)
    assert (done.returncode, done.stderr) == (0, "")
    results = run.events("result")
    assert len(results) == 2
    boxes = [one["shape"]["exterior"] for result in results for one in result["markup"]["annotation"]]
    assert boxes and all(0 <= x1 <= x2 <= 160 and 0 <= y1 <= y2 <= 120 for (x1, y1), (x2, y2) in boxes)
    metrics = {event["name"]: event for event in run.events("metric")}
    assert metrics["Confusion matrix"]["data"]["labels"] == [*run.classes, "background"]
    assert metrics["Classes"]["data"]["index"] == run.classes
    assert {"mAP", "Precision by recall", "Confidence of the boxes", "Worst images"} <= set(metrics)


def command_line(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "defects_in_welds.training.run_training", *overrides],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def copied_solution(tmp_path: Path) -> Path:
    folder = tmp_path / "weld_defects"
    shutil.copytree(SOLUTION, folder, ignore=shutil.ignore_patterns("__pycache__", "data.yaml", "checkpoints"))
    return folder


def test_the_command_line_trains_and_records_in_mlflow(copied_solution: Path, weld_folder: Path) -> None:
    shutil.copytree(weld_folder, copied_solution / "data")
    done = command_line(
        copied_solution, "train.batch_size=8", "trainer.precision=16-mixed", "train.epochs=1", "data.workers=0",
        "data.short_side=128", "model.finest_stride=8", "model.is_pretrained=false",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (copied_solution / "checkpoints" / "best_model.ckpt").is_file()
    assert "val_mAP" in json.loads((copied_solution / "metrics" / "history.json").read_text())["best"]
    assert list((copied_solution / "logs").rglob("events.out.tfevents*"))

    # Read as a database: importing mlflow here would bring its own warnings into the test.
    with closing(sqlite3.connect(copied_solution / "mlruns.db")) as database:
        [(run_id, status, artifacts)] = database.execute("SELECT run_uuid, status, artifact_uri FROM runs").fetchall()
        params = dict(database.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run_id,)))
        metrics = {key for (key,) in database.execute("SELECT key FROM metrics WHERE run_uuid = ?", (run_id,))}
    assert status == "FINISHED"
    assert params["train/batch_size"] == "8" and {"val_mAP", "train_loss_epoch"} <= metrics
    kept = Path(artifacts.removeprefix("file://"))
    assert {path.name for path in (kept / "models").iterdir()} == {"best_model.ckpt", "weld_defects.onnx"}
    assert list((kept / "tensorboard").glob("events.out.tfevents*")) and (kept / "metrics" / "history.json").is_file()
    assert {"onnx_least_iou", "onnx_max_score_difference"} <= metrics
    [model] = (copied_solution / "mlartifacts").rglob("MLmodel")
    signature = yaml.safe_load(model.read_text())["signature"]
    assert [one["name"] for one in json.loads(signature["inputs"])] == ["image"]
    assert [one["name"] for one in json.loads(signature["outputs"])] == ["boxes", "labels", "scores"]
    assert [path.suffix for path in (copied_solution / "export").iterdir() if path.suffix == ".onnx"] == [".onnx"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.epochs=abc", "train.epochs=abc cannot be; known is int 1…100000"),
        ("train.epochs=true", "train.epochs=True cannot be; known is int 1…100000"),
        ("train.batch_size=0", "train.batch_size=0 cannot be; known is int 1…128"),
        ("train.max_minutes=soon", "train.max_minutes=soon cannot be; known is float 0.0…100000.0"),
        ("train.learning_rate=nan", "train.learning_rate=nan cannot be; known is float 1e-06…0.1"),
        ("model.name=resnet18", "model.name=resnet18 cannot be; known is efficientnet_lite0_fpn, mobilenet"),
        ("model.finest_stride=5", "model.finest_stride=5 cannot be; known is 4, 8"),
        ("model.is_pretrained=maybe", "model.is_pretrained=maybe cannot be; known is bool"),
        ("data.language=de", "data.language=de cannot be; known is auto, en, ru"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_is_known(override: str, said: str) -> None:
    with initialize_config_dir(str(SOLUTION / "configs"), version_base=None):
        config = compose("params", [override, *([] if "language" in override else ["data.language=en"])])
    with pytest.raises(SettingError) as caught:
        check_settings(config)
    assert str(caught.value).startswith(said)


def test_the_settings_of_the_solution_can_be() -> None:
    with initialize_config_dir(str(SOLUTION / "configs"), version_base=None):
        check_settings(compose("params", ["train.max_minutes=5", "trainer.limit_train_batches=3"]))


def test_wrong_settings_and_a_missing_checkpoint_end_the_command_line_without_a_traceback(
    copied_solution: Path, weld_folder: Path
) -> None:
    done = command_line(copied_solution, "train.epochs=abc", "model.name=resnet18", "data.language=ru")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "train.epochs=abc – недопустимое значение" in done.stderr and "model.name=resnet18" in done.stderr
    done = command_line(copied_solution, f"data.folder={weld_folder}", "train.resume=gone.ckpt", "logging.mlflow=false")
    assert done.returncode == 1 and "Traceback" not in done.stderr and "gone.ckpt" in done.stderr


def test_the_command_line_without_data_advises_dvc_pull(copied_solution: Path) -> None:
    done = command_line(copied_solution)
    assert done.returncode == 1
    assert "dvc pull" in done.stderr
