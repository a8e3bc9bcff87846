"""A folder on the backend's own disk, read like an uploaded archive."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from backend.domain.archive_rules import SYSTEM_NOISE, is_noise
from backend.domain.errors import InvalidInputError, NotFoundError, TooLargeError


class FolderTree:
    """Regular files below a folder. Links are followed (DVC keeps data behind them), each real folder once."""

    def __init__(self, root: Path, max_files: int) -> None:
        if not root.is_absolute():
            raise InvalidInputError("folder_not_absolute", path=str(root))
        if not root.is_dir():
            raise NotFoundError("folder_not_found", path=str(root))
        self._root = root
        self._paths: list[str] = []
        for path in _files_below(root):
            relative = path.relative_to(root).as_posix()
            if not is_noise(relative, SYSTEM_NOISE):
                self._paths.append(relative)
            if len(self._paths) > max_files:
                raise TooLargeError("archive_too_many_files", count=f"> {max_files}", limit=max_files)

    @property
    def paths(self) -> Collection[str]:
        """Every regular file."""
        return self._paths

    def read(self, path: str, max_bytes: int) -> bytes:
        """A whole file; raises TooLargeError when it is longer, InvalidInputError when it can not be read."""
        try:
            with (self._root / path).open("rb") as file:
                content = file.read(max_bytes + 1)
        except OSError as error:
            raise InvalidInputError("folder_file_unreadable", path=path, detail=error.strerror or "") from None
        if len(content) > max_bytes:
            raise TooLargeError("file_too_large", path=path, limit_mb=max(1, max_bytes >> 20))
        return content


def _files_below(root: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file():
                yield path
