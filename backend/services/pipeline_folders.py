"""The code of a project as files on disk, for checks of its pipelines; a small cache, made again when needed."""

import shutil
import tempfile
import threading
from pathlib import Path

from backend.contracts.projects import Code
from backend.domain.archive_rules import safe_path
from backend.stores.object_store import ObjectStore

KEPT = 20
LARGEST_FILE = 4 << 20
"""Longer ones are left out here: they are data, and a pipeline that names them is only checked, not run."""


class PipelineFolders:
    """One folder per code hash. Thread-safe; a folder appears whole."""

    def __init__(self, objects: ObjectStore, root: Path) -> None:
        self._objects = objects
        self._root = root.resolve()  # as the real paths of its files begin
        self._lock = threading.Lock()
        self._used: list[str] = []

    def folder(self, code: Code) -> Path:
        """The folder with the files of `code`. The next calls for other code may remove it, so it is read at once."""
        name = code.sha256 or "empty"
        with self._lock:
            target = self._root / name
            if not target.is_dir():
                self._make(code, target)
            self._used = [name, *(used for used in self._used if used != name)]
            self._forget()
            return target

    def _make(self, code: Code, target: Path) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=self._root, prefix=".making-"))
        try:
            for file in code.files:
                if file.size_bytes <= LARGEST_FILE:
                    path = staged / safe_path(file.path)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(self._objects.read_bytes(file.sha256))
            staged.replace(target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _forget(self) -> None:
        kept = set(self._used[:KEPT])
        self._used = self._used[:KEPT]
        for folder in self._root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
