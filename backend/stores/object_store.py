"""Content-addressed files in a folder or an S3 bucket (fsspec): uploaded twice, stored once, never changed."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import fsspec

from backend.domain.errors import InvalidInputError, NotFoundError, UnavailableError

CHUNK_BYTES = 1 << 20
RENEW_AFTER_S = 600.0
"""An older object of a bucket is written again when somebody puts it: a bucket knows no touch."""


class ObjectStore:
    """Objects named by the sha256 of their bytes.

    Atomic: an object is visible only when it is whole. Thread-safe. Raises NotFoundError for an unknown name and
    UnavailableError when the storage does not answer or is full.
    """

    def __init__(self, location: str, scratch_dir: Path) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(location)
        self._is_local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))
        self._scratch_dir = scratch_dir
        scratch_dir.mkdir(parents=True, exist_ok=True)
        if self._is_local:
            Path(self._root).mkdir(parents=True, exist_ok=True)

    def put_bytes(self, content: bytes) -> str:
        """Store bytes and return their sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self._is_renewed(sha256):
            with self.scratch_file() as scratch:
                scratch.write(content)
                scratch.flush()
                self._publish(Path(scratch.name), sha256)
        return sha256

    def put_file(self, path: Path) -> str:
        """Store a copy of a file and return its sha256; the file stays where it is."""
        sha256 = hash_file(path)
        if not self._is_renewed(sha256):
            with self.scratch_file() as scratch, path.open("rb") as source:
                shutil.copyfileobj(source, scratch, CHUNK_BYTES)
                scratch.flush()
                self._publish(Path(scratch.name), sha256)
        return sha256

    def scratch_file(self) -> IO[bytes]:
        """A temporary file on the same disk, removed when closed; for receiving an upload before its hash is known."""
        return cast(IO[bytes], tempfile.NamedTemporaryFile(dir=self._scratch_dir, prefix="incoming-"))

    def exists(self, sha256: str) -> bool:
        """Whether the object is there."""
        return bool(self._guard(self._fs.exists, self._path(sha256)))

    def size_bytes(self, sha256: str) -> int:
        """Size of an object, bytes."""
        return int(self._guard(self._fs.size, self._path(sha256)))

    def read_bytes(self, sha256: str) -> bytes:
        """The whole object."""
        return bytes(self._guard(self._fs.cat_file, self._path(sha256)))

    def stream(self, sha256: str, start: int = 0) -> Iterator[bytes]:
        """The object from byte `start` on, in chunks of 1 MiB."""
        with self._guard(self._fs.open, self._path(sha256), "rb") as file:
            file.seek(start)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def open(self, sha256: str) -> IO[bytes]:
        """A seekable binary file of the object."""
        return cast(IO[bytes], self._guard(self._fs.open, self._path(sha256), "rb"))

    def remove(self, sha256: str) -> None:
        """Delete an object; one that is not there is no error. Only for bytes that nothing names any longer."""
        with contextlib.suppress(NotFoundError):
            self._guard(self._fs.rm_file, self._path(sha256))

    def remove_all(self) -> None:
        """Delete every object and the place itself."""
        with contextlib.suppress(NotFoundError):
            self._guard(lambda path: self._fs.rm(path, recursive=True), self._root)

    # --- removing what nothing names any more, in this order ---

    def set_aside(self, sha256: str, untouched_s: float) -> bool:
        """Hide an object that nobody has put for `untouched_s`; False when somebody has, or when it is not there.

        Hidden, because between a last question (who names it?) and the removal somebody could put it again: such a
        put finds nothing and writes it anew. A bucket can not hide, so there `untouched_s` alone protects.
        """
        path = self._path(sha256)
        try:
            if self._age_s(path) < untouched_s:
                return False
            if self._is_local:
                Path(path).replace(_aside(path))
                if self._age_s(_aside(path)) < untouched_s:
                    self.take_back(sha256)
                    return False
        except (FileNotFoundError, NotFoundError):
            return False
        return True

    def take_back(self, sha256: str) -> None:
        """Show an object again that was set aside."""
        if self._is_local:
            path = self._path(sha256)
            Path(_aside(path)).replace(path)

    def remove_aside(self, sha256: str) -> None:
        """Delete an object that was set aside."""
        path = self._path(sha256)
        if self._is_local:
            Path(_aside(path)).unlink(missing_ok=True)
        else:
            self._guard(self._fs.rm_file, path)

    def _is_renewed(self, sha256: str) -> bool:
        """Whether the object is there already; then its age begins anew, so that nobody removes it now."""
        path = self._path(sha256)
        if not self._is_local:
            return self.exists(sha256) and self._age_s(path) < RENEW_AFTER_S
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnavailableError("storage_failed", detail=str(error)) from error
        return True

    def _age_s(self, path: str) -> float:
        if self._is_local:
            return time.time() - Path(path).stat().st_mtime
        return time.time() - float(self._guard(self._fs.modified, path).timestamp())

    def _publish(self, source: Path, sha256: str) -> None:
        target = self._path(sha256)
        if self._is_local:
            # A rename inside one file system is the only write that a crash can not leave half done.
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            staged = Path(f"{target}.{source.name}")
            try:
                shutil.copyfile(source, staged)
                staged.replace(target)
            except OSError as error:
                staged.unlink(missing_ok=True)
                raise UnavailableError("storage_failed", detail=str(error)) from error
        else:
            self._guard(self._fs.put_file, str(source), target)

    def _path(self, sha256: str) -> str:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise InvalidInputError("bad_object_name", name=sha256[:80])
        return f"{self._root}/sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}"

    @staticmethod
    def _guard(call: Any, path: str, *args: Any) -> Any:
        try:
            return call(path, *args)
        except FileNotFoundError:
            raise NotFoundError("object_not_found", sha256=path.rsplit("/", 1)[-1]) from None
        except OSError as error:
            raise UnavailableError("storage_failed", detail=str(error)) from error


def _aside(path: str) -> str:
    return f"{path}.aside"


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
