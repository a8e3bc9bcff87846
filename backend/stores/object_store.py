"""Content-addressed files in a folder or an S3 bucket (fsspec): uploaded twice, stored once, never changed."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import fsspec

from backend.domain.errors import InvalidInputError, NotFoundError, UnavailableError

CHUNK_BYTES = 1 << 20


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
        if not self.exists(sha256):
            with self.scratch_file() as scratch:
                scratch.write(content)
                scratch.flush()
                self._publish(Path(scratch.name), sha256)
        return sha256

    def put_file(self, path: Path) -> str:
        """Store a copy of a file and return its sha256; the file stays where it is."""
        sha256 = hash_file(path)
        if not self.exists(sha256):
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


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
