"""Puts a file into place whole: readers see the old file or the complete new one, never a part."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PlatformAPI.errors import RunFolderError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`; on leaving, the file is flushed to disk and renamed to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The hex sha256 of a file's bytes."""
    import hashlib  # loads OpenSSL, which a script that saves nothing need not wait for

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def safe_name(name: object, about: str) -> str:
    """`name` if it is a plain file name. Raises RunFolderError if it could leave its folder."""
    if not isinstance(name, str) or name in ("", ".", "..") or any(c in name for c in "/\\\0"):
        raise RunFolderError(f"{about} is {name!r}, which is not a plain file name")
    return name
