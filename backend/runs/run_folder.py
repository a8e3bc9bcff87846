"""Every path of a run, and the writing of its inputs (docs/run-folder.md)."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.contracts.datasets import SampleEntry
from backend.contracts.runs import Sample
from backend.contracts.workers import RunSpec
from backend.domain.archive_rules import safe_path

FORMAT = 1
READ_ONLY = 0o444


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; it need not exist yet."""

    root: Path

    @property
    def run_json(self) -> Path:
        """Inputs, read-only."""
        return self.root / "run.json"

    @property
    def code_dir(self) -> Path:
        """The code, and the working directory of the script."""
        return self.root / "code"

    @property
    def weights_dir(self) -> Path:
        """Weights handed in."""
        return self.root / "weights"

    @property
    def inputs_dir(self) -> Path:
        """Lists of samples."""
        return self.root / "inputs"

    @property
    def objects_dir(self) -> Path:
        """Image files by hash."""
        return self.inputs_dir / "objects"

    @property
    def events_dir(self) -> Path:
        """What the script reports."""
        return self.root / "events"

    @property
    def artifacts_dir(self) -> Path:
        """What the script saves."""
        return self.root / "artifacts"

    @property
    def home_dir(self) -> Path:
        """HOME of the script, so that it finds no keys and leaves no traces."""
        return self.root / "home"

    @property
    def api_dir(self) -> Path:
        """Holds the socket; a folder, because a mount of the socket itself would not show the next agent's."""
        return self.root / "api"

    @property
    def api_socket(self) -> Path:
        """Where the agent answers the script's calls for data of its project."""
        return self.api_dir / "socket"

    @property
    def stdout_file(self) -> Path:
        """Standard output."""
        return self.root / "stdout.log"

    @property
    def stderr_file(self) -> Path:
        """Standard error."""
        return self.root / "stderr.log"

    def code_file(self, path: str) -> Path:
        """One file of the code. Raises InvalidInputError when the path leads out of it."""
        return self.code_dir / safe_path(path)

    def weights_file(self, path: str) -> Path:
        """One weights file. Raises InvalidInputError when the path leads out of the folder."""
        return self.weights_dir / safe_path(path)

    def artifact_file(self, path: str) -> Path:
        """One saved file. Raises InvalidInputError when the path leads out, FileNotFoundError when a link does."""
        file = (self.artifacts_dir / safe_path(path)).resolve()
        if not file.is_relative_to(self.artifacts_dir.resolve()):
            raise FileNotFoundError(f"{path} is a link out of artifacts/")
        return file

    def make_empty(self) -> None:
        """Create the folders, removing what an earlier attempt at this run left."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True, mode=0o700)
        for folder in (
            *(self.code_dir, self.weights_dir, self.inputs_dir, self.objects_dir),
            *(self.events_dir, self.artifacts_dir, self.home_dir, self.api_dir),
        ):
            folder.mkdir()

    def write_sample(self, role: str, entries: Iterable[SampleEntry]) -> None:
        """Write inputs/<role>.jsonl."""
        lines = (entry.model_dump_json(by_alias=True, exclude_none=True) + "\n" for entry in entries)
        _write_whole(self.inputs_dir / f"{role}.jsonl", "".join(lines))

    def write_run_json(self, spec: RunSpec, counts: Mapping[str, int]) -> None:
        """Write run.json, last of all: where it is, the inputs are complete. `counts` are elements by role."""
        _write_whole(self.run_json, json.dumps(run_json(spec, counts), ensure_ascii=False, indent=1))


def run_json(spec: RunSpec, counts: Mapping[str, int]) -> dict[str, Any]:
    """The content of run.json."""
    run = spec.run
    return {
        "format": FORMAT,
        "run_id": run.id,
        "kind": run.kind,
        "entry_file": run.entry_file,
        "arguments": run.arguments,
        # The script sees one device only, and whichever card that is, CUDA counts it from 0.
        "device": "cpu" if run.device == "cpu" else "cuda:0",
        "seed": run.seed,
        "processes": run.processes,
        **({"language": run.language} if run.language else {}),
        "params": run.params,
        **({"train_params": run.train_params} if run.train_params else {}),
        "classes": list(spec.classes),
        "samples": _sample_rows(run.samples, counts),
        "weights": [f"weights/{path}" for path in spec.weights],
        "limits": run.limits.model_dump(exclude_none=True),
    }


def _sample_rows(samples: Sequence[Sample], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [sample.model_dump(exclude={"deleted_dataset"}) | {"count": counts[sample.role]} for sample in samples]


def _write_whole(path: Path, text: str) -> None:
    """Write a read-only file that is either absent or complete."""
    staged = path.with_name(f".{path.name}.part")
    with staged.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staged.chmod(READ_ONLY)
    staged.replace(path)
