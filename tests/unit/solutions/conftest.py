"""Generated data and a way to run a solution's script as the workstation does: a real process in a run folder."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from assets.weld_generator import generate

SOLUTIONS = Path(__file__).parents[3] / "solutions"

# The package of weld_defects imports from its own folder, as it does when its scripts run.
sys.path.insert(0, str(SOLUTIONS / "weld_defects"))

Events = list[dict[str, Any]]


@pytest.fixture(scope="session")
def weld_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YOLO folder of 10 synthetic welds: 6 train, 2 valid, 2 test."""
    folder = tmp_path_factory.mktemp("welds")
    generate(folder, images=10, seed=4, size=(160, 120))
    return folder


class RunFolder:
    """A run folder made by hand with a copy of a solution's code, its samples taken from a YOLO folder."""

    def __init__(self, root: Path, solution: str, data: Path) -> None:
        self.root = root
        shutil.copytree(SOLUTIONS / solution, root / "code", ignore=shutil.ignore_patterns("__pycache__", "arm-run"))
        self.params = yaml.safe_load((root / "code" / "params.yaml").read_text(encoding="utf-8"))
        self.classes = list(yaml.safe_load((data / "data.yaml").read_text(encoding="utf-8"))["names"].values())
        (root / "inputs" / "objects").mkdir(parents=True)
        for role, split in (("train", "train"), ("val", "valid"), ("test", "test")):
            self._write_sample(role, data / split)

    def _write_sample(self, role: str, split: Path) -> None:
        lines = []
        for image in sorted((split / "images").iterdir()):
            shutil.copy(image, self.root / "inputs" / "objects" / image.stem)
            annotations = []
            for line in (split / "labels" / f"{image.stem}.txt").read_text().splitlines():
                class_id, x, y, w, h = line.split()
                left, top = (float(x) - float(w) / 2) * 160, (float(y) - float(h) / 2) * 120
                corners = [[left, top], [left + float(w) * 160, top + float(h) * 120]]
                shape = {"type": "rectangle", "exterior": corners, "interior": []}
                annotations.append(
                    {"description": "ObjectDetection", "class": self.classes[int(class_id)], "shape": shape}
                )
            markup = {"version": 1, "image": {"representation": "", "value": ""}, "annotation": annotations}
            entry = {"name": image.name, "image": image.stem, "width": 160, "height": 120, "markup": markup}
            lines.append(json.dumps(entry))
        (self.root / "inputs" / f"{role}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(
        self, kind: str, weights: list[str] | None = None, page_language: str = "en", **changed: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run train.py or test.py to its end with the declared defaults except `changed` (by parameter name)."""
        groups = self.params[kind]
        known = {name for group in groups.values() for name in group}
        assert set(changed) <= known, f"not declared in params.yaml: {set(changed) - known}"
        params = {
            group: {name: changed.get(name, declared["default"]) for name, declared in entries.items()}
            for group, entries in groups.items()
        }
        spec = {"format": 1, "kind": kind, "entry_file": f"{kind}.py", "params": params, "classes": self.classes}
        roles = ("train", "val", "test") if kind == "train" else ("test",)
        spec["samples"] = [{"role": role} for role in roles]
        spec |= {"weights": weights or [], "language": page_language}
        (self.root / "run.json").write_text(json.dumps(spec), encoding="utf-8")
        shutil.rmtree(self.root / "events", ignore_errors=True)
        environment = {**os.environ, "ARM_RUN_DIR": str(self.root), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, f"{kind}.py"],
            cwd=self.root / "code",
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def events(self, kind: str) -> Events:
        """What the script reported, in order."""
        lines = [line for path in sorted((self.root / "events").iterdir()) for line in path.read_text().splitlines()]
        return [event for event in map(json.loads, lines) if event["k"] == kind]


@pytest.fixture
def run_folder(tmp_path: Path, weld_folder: Path) -> Callable[[str], RunFolder]:
    """Makes a run folder for a solution by its name."""
    return lambda solution: RunFolder(tmp_path / "run", solution, weld_folder)
