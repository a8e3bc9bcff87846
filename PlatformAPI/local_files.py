"""The files of a script that runs alone: a folder, the names being paths in it."""

import os
import shutil
from pathlib import Path
from typing import IO

from PlatformAPI.errors import StoreError
from PlatformAPI.file_writing import replacing

CHUNK_BYTES = 1 << 20


class LocalFiles:
    """Answers as the workstation does, without its quotas. A name can not be a file and a folder at once here."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, source: IO[bytes]) -> None:
        """Keep what the file still holds."""
        with replacing(self._path(name)) as temporary, temporary.open("wb") as target:
            shutil.copyfileobj(source, target, CHUNK_BYTES)

    def open(self, name: str) -> IO[bytes]:
        """The content. Raises StoreError('project_file_not_found')."""
        try:
            return self._path(name).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise StoreError("project_file_not_found", f"the project keeps no file {name!r}") from None

    def exists(self, name: str) -> bool:
        """Whether the name leads to a file."""
        return self._path(name).is_file()

    def names(self, prefix: str) -> list[str]:
        """Names that begin with `prefix`, sorted."""
        paths = (Path(folder, file) for folder, _, files in os.walk(self._root) for file in files)
        names = (path.relative_to(self._root).as_posix() for path in paths if not path.name.endswith(".tmp"))
        return sorted(name for name in names if name.startswith(prefix))

    def delete(self, name: str) -> bool:
        """Forget a file. False when it was not there."""
        try:
            self._path(name).unlink()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return False
        return True

    def _path(self, name: str) -> Path:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        for code, is_fault in (
            ("path_absolute", name.startswith("/")),
            ("path_backslash", "\\" in name),
            ("path_control_character", any(ord(c) < 32 or ord(c) == 127 for c in name)),
            ("path_climbs", ".." in parts),
            ("path_drive_letter", len(name) > 1 and name[1] == ":" and name[0].isascii() and name[0].isalpha()),
            ("path_empty", not parts),
            ("path_too_long", len(name.encode()) > 1024 or any(len(part.encode()) > 255 for part in parts)),
        ):
            if is_fault:
                raise StoreError(code, f"{name!r} can not name a file ({code})")
        return self._root.joinpath(*parts)
