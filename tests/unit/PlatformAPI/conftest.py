"""A fresh run folder per test, inside the workstation or alone, and scripts started as real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from PlatformAPI import run_context

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty run folder that ARM_RUN_DIR names; the SDK of this process starts anew in it."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("ARM_RUN_DIR", str(folder))
    monkeypatch.setattr(run_context, "_current", None)
    yield folder
    if run_context._current is not None:
        run_context._current.writer.close()


@pytest.fixture
def write_run(run_dir: Path) -> Callable[..., Path]:
    """Writes run.json with the given fields."""

    def write(**fields: Any) -> Path:
        (run_dir / "run.json").write_text(json.dumps({"format": 1, **fields}), encoding="utf-8")
        return run_dir

    return write


def read_events(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Every complete line of every event file, strictly parsed."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    events = []
    for path in sorted((folder / "events").glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            events.append(json.loads(line, parse_constant=refuse))
    return [event for event in events if kind is None or event["k"] == kind]


@pytest.fixture
def events(run_dir: Path) -> Events:
    """The events written so far, of one kind if given."""
    return lambda kind=None: read_events(run_dir, kind)


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs code as tmp_path/solution/train.py in that folder, with only the given ARM_ variables."""

    def run(code: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "solution"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(code, encoding="utf-8")
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")}
        done = subprocess.run(
            [sys.executable, "train.py"], cwd=folder, env={**clean, **env}, capture_output=True, text=True, timeout=120
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return run
