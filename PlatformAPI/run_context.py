"""Finds the run folder, once in a process: ARM_RUN_DIR, or ./arm-run when the script runs alone."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from PlatformAPI.console import Console
from PlatformAPI.errors import RunFolderError

FORMAT = 1


class RunContext:
    """The run of this process: its folder, its run.json, its event writer, and the console when it runs alone."""

    def __init__(self, folder: Path, is_alone: bool) -> None:
        self.folder = folder
        self.is_alone = is_alone
        self.script_dir = _script_dir()
        self.spec = {} if is_alone else _read_run_json(folder / "run.json")
        from PlatformAPI.event_writer import EventWriter

        self.rank = _rank()
        self.writer = EventWriter(folder / "events")
        self.console = Console() if is_alone else None

    @property
    def artifacts_dir(self) -> Path:
        """Where weights and files of the run go; made on first use."""
        path = self.folder / "artifacts"
        path.mkdir(parents=True, exist_ok=True)
        return path


_current: RunContext | None = None


def current() -> RunContext:
    """The run of this process. The first call opens its event file. Raises RunFolderError for a wrong ARM_RUN_DIR."""
    global _current
    if _current is None:
        given = os.environ.get("ARM_RUN_DIR")
        folder = Path(given or "arm-run").absolute()
        if given and not folder.is_dir():
            raise RunFolderError(f"ARM_RUN_DIR names {folder}, which is not a folder")
        _current = RunContext(folder, is_alone=not given)
        _current.writer.open()
    return _current


def _start_anew_in_child() -> None:
    if _current is not None:
        _current.writer.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew_in_child)


def _rank() -> int:
    """This process's number among those that torchrun started, 0 for a script that runs by itself."""
    rank = os.environ.get("RANK", "0")
    return int(rank) if rank.isdigit() and os.environ.get("WORLD_SIZE", "1") != "1" else 0


def _script_dir() -> Path:
    """The folder of the main script; the working directory in a notebook or an interactive session."""
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(main_file).absolute().parent if main_file else Path.cwd()


def _read_run_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        spec = json.loads(path.read_bytes())
    except ValueError as error:
        raise RunFolderError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(spec, dict):
        raise RunFolderError(f"{path} must hold an object, it holds {type(spec).__name__}")
    if spec.get("format", FORMAT) != FORMAT:
        raise RunFolderError(f"{path} has format {spec['format']!r}, this PlatformAPI knows format {FORMAT}")
    return spec
