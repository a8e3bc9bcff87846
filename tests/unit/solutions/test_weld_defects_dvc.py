"""The DVC way of weld_defects in a clean checkout: fill the remote, pull, reproduce; only what changed runs again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
TINY = {
    "data": {"short_side": 96, "long_side": 128, "workers": 0},
    "model": {"is_pretrained": False, "finest_stride": 8, "fpn_channels": 32},
    "train": {"epochs": 1, "batch_size": 3},
    "logging": {"mlflow": False, "tensorboard": False},
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """As in a terminal with the environment active: dvc.yaml says `python`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def set_params(folder: Path, changes: dict[str, dict[str, object]]) -> None:
    path = folder / "configs" / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for group, values in changes.items():
        params[group].update(values)
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


@pytest.mark.slow
def test_a_clean_checkout_pulls_reproduces_and_runs_only_what_changed(weld_folder: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    folder = tmp_path / "solutions" / "weld_defects"
    ignored = [line.strip("/\n") for line in (SOLUTION / ".gitignore").read_text().splitlines() if line]
    left_out = lambda at, names: [n for n in names if n == "__pycache__" or (Path(at) == SOLUTION and n in ignored)]  # noqa: E731
    shutil.copytree(SOLUTION, folder, ignore=left_out)
    set_params(folder, TINY)

    run(folder, "defects_in_welds.data.set_up_dvc", "--from", str(weld_folder))
    assert not (folder / "data").exists()
    run(folder, "dvc", "pull")
    assert len(list((folder / "data" / "train" / "images").iterdir())) == 6

    first = run(folder, "dvc", "repro").stdout
    assert "Running stage 'prepare'" in first and "Running stage 'train'" in first
    assert "val_mAP" in json.loads((folder / "metrics" / "history.json").read_text())["best"]
    for path in ("checkpoints/best_model.ckpt", "export/weld_defects.onnx", "prepared/samples.json"):
        assert (folder / path).is_file(), path

    second = run(folder, "dvc", "repro").stdout
    assert "Running" not in second and "up to date" in second

    set_params(folder, {"train": {"learning_rate": 0.001}})
    third = run(folder, "dvc", "repro").stdout
    assert "Stage 'prepare' didn't change" in third and "Running stage 'train'" in third

    run(folder, "dvc", "push")
    shutil.rmtree(folder / "checkpoints")
    run(folder, "dvc", "pull")
    assert (folder / "checkpoints" / "best_model.ckpt").is_file(), "models are versioned, too"
    status = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    assert "data/train" not in status.stdout and ".dvc-remote" not in status.stdout


def test_a_folder_that_is_none_of_yolo_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "defects_in_welds.data.set_up_dvc", "--from", tmp_path],
        cwd=SOLUTION, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and "holds no data.yaml" in done.stderr
