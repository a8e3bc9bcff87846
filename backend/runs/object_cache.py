"""Files by hash on the computing machine, shared by its runs: fetched once, linked into every run that needs them."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

READ_ONLY = 0o444


class BrokenObjectError(Exception):
    """A file came with other bytes than its name says."""


class ObjectSource(Protocol):
    """Where files come from."""

    def download(self, sha256: str, target: Path) -> None:
        """Write the bytes of an object to a file."""
        ...


class ObjectCache:
    """Several agents may fill it at once: a file appears whole, by a rename."""

    def __init__(self, folder: Path, source: ObjectSource) -> None:
        self._folder = folder
        self._source = source

    def link(self, sha256: str, target: Path) -> None:
        """Put an object at `target` without copying it where the file system allows. Raises BrokenObjectError."""
        cached = self._fetched(sha256)
        try:
            os.link(cached, target)
        except FileNotFoundError:  # Cleaned away this very moment (disk_cleaning).
            os.link(self._fetched(sha256), target)
        except OSError:  # Another file system, or one without hard links.
            shutil.copyfile(cached, target)
            target.chmod(READ_ONLY)

    def copy(self, sha256: str, target: Path) -> None:
        """Put a copy at `target`, its bytes checked now: for code, which must be exactly what the run names."""
        for attempt in range(2):
            cached = self._fetched(sha256)
            content = cached.read_bytes()
            if hashlib.sha256(content).hexdigest() == sha256:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(READ_ONLY)
                return
            cached.unlink(missing_ok=True)  # Damaged here: fetch it once more.
            if attempt:
                raise BrokenObjectError(sha256)

    def _fetched(self, sha256: str) -> Path:
        cached = self._folder / sha256[:2] / sha256
        try:
            os.utime(cached)  # The time of the last use, by which disk_cleaning chooses.
        except FileNotFoundError:
            pass
        else:
            return cached
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cached.parent, prefix=".part-", delete=False) as part:
            staged = Path(part.name)
        try:
            self._source.download(sha256, staged)
            with staged.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise BrokenObjectError(sha256)
            staged.chmod(READ_ONLY)
            staged.replace(cached)
        finally:
            staged.unlink(missing_ok=True)
        return cached
