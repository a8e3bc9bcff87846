"""JPEG thumbnails of stored images, kept in a folder of bounded size."""

import os
import tempfile
from pathlib import Path

from backend.domain.errors import TooLargeError
from backend.services.image_reader import jpeg_thumbnail
from backend.stores.object_store import ObjectStore

WIDTHS = (32, 64, 96, 128, 192, 256, 320, 480, 640, 960, 1280, 1600, 2048, 3072, 4096)
MAX_SOURCE_BYTES = 512 << 20
MAX_FOLDER_BYTES = 1 << 30
KEPT_PART = 0.8
COUNT_EVERY = 500


class Thumbnails:
    """A cache: every file in it can be made again, so the oldest go when there are too many."""

    def __init__(self, objects: ObjectStore, folder: Path, max_folder_bytes: int = MAX_FOLDER_BYTES) -> None:
        self._objects = objects
        self._folder = folder
        self._max_folder_bytes = max_folder_bytes
        self._made = 0

    def thumbnail(self, sha256: str, max_width: int) -> bytes:
        """JPEG at most `max_width` (32..4096) pixels wide; widths are rounded down to a few steps so that few are made.

        Raises NotFoundError, TooLargeError, InvalidInputError('image_unknown' or 'image_broken').
        """
        width = max(step for step in WIDTHS if step <= max(max_width, WIDTHS[0]))
        size_bytes = self._objects.size_bytes(sha256)
        path = self._folder / sha256[:2] / f"{sha256}-{width}.jpg"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        if size_bytes > MAX_SOURCE_BYTES:
            raise TooLargeError("file_too_large", path=sha256, limit_mb=MAX_SOURCE_BYTES >> 20)
        content = jpeg_thumbnail(self._objects.read_bytes(sha256), width)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as staged:
            staged.write(content)
        Path(staged.name).replace(path)
        self._made += 1
        if self._made % COUNT_EVERY == 1:
            self._drop_oldest()
        return content

    def _drop_oldest(self) -> None:
        files = [entry for folder in os.scandir(self._folder) if folder.is_dir() for entry in os.scandir(folder)]
        ages = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in files)
        total = sum(size for _, size, _ in ages)
        if total <= self._max_folder_bytes:
            return
        for _, size, name in ages:
            Path(name).unlink(missing_ok=True)
            total -= size
            if total <= self._max_folder_bytes * KEPT_PART:
                return
