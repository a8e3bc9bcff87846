"""Receives files in chunks into the scratch folder, for an import that follows."""

import errno
import fcntl
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from backend.contracts.uploads import Upload, UploadCreate, UploadPurpose
from backend.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)

CHUNK_BYTES = 8 << 20
RESERVE_BYTES = 256 << 20
STALE_AFTER_S = 24 * 3600
_NAME = re.compile(r"(?P<id>[0-9a-f]{16})-(?P<purpose>dataset|code)-(?P<size>\d+)")


class UploadService:
    """An upload is one file, whose name holds its id, purpose and announced size: nothing to get out of step with.

    Every change holds the file's lock; who finds it taken is told so (`upload_busy`) instead of waiting.
    """

    def __init__(self, folder: Path, max_bytes: Mapping[UploadPurpose, int], new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._new_id = new_id

    def begin(self, create: UploadCreate) -> Upload:
        """Announce a file. Raises TooLargeError('upload_too_large'), UnavailableError('disk_full')."""
        limit = self._max_bytes[create.purpose]
        if create.size_bytes > limit:
            raise TooLargeError("upload_too_large", limit_mb=limit >> 20)
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if free < create.size_bytes + RESERVE_BYTES:
            raise UnavailableError("disk_full", needed_mb=(create.size_bytes + RESERVE_BYTES) >> 20, free_mb=free >> 20)
        path = self._folder / f"{self._new_id()}-{create.purpose}-{create.size_bytes}"
        path.touch(exist_ok=False)
        return _described(path)

    def upload(self, upload_id: str) -> Upload:
        """How far it is. Raises NotFoundError."""
        return _described(self._path(upload_id))

    def append(self, upload_id: str, offset: int, chunk: bytes) -> Upload:
        """Add a chunk; one that is there already is answered and dropped.

        Raises NotFoundError, ConflictError('upload_out_of_order' with `received`, or 'upload_busy'), TooLargeError when
        it is longer than announced, UnavailableError('disk_full').
        """
        path = self._path(upload_id)
        with _locked(path) as file:
            upload = _described(path)
            if offset + len(chunk) <= upload.received_bytes:
                return upload
            if offset != upload.received_bytes:
                raise ConflictError("upload_out_of_order", offset=offset, received=upload.received_bytes)
            if offset + len(chunk) > upload.size_bytes:
                raise TooLargeError("upload_longer_than_said", size=upload.size_bytes)
            try:
                file.seek(offset)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError as error:  # What fitted stays: it is right, and the rest can follow.
                raise write_failed(error) from None
        return _described(path)

    @contextmanager
    def taken(self, upload_id: str, purpose: UploadPurpose) -> Iterator[Path]:
        """The whole file, to be read inside `with`. Afterwards it is gone, unless a store was away: then try again.

        Raises NotFoundError, InvalidInputError when it was sent for something else, ConflictError('upload_incomplete',
        'upload_busy').
        """
        path = self._path(upload_id)
        with _locked(path):
            upload = _described(path)
            if upload.purpose != purpose:
                raise InvalidInputError("upload_for_other", purpose=upload.purpose)
            if upload.received_bytes < upload.size_bytes:
                raise ConflictError("upload_incomplete", received=upload.received_bytes, size=upload.size_bytes)
            try:
                yield path
            except UnavailableError:
                raise
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            path.unlink(missing_ok=True)

    def discard(self, upload_id: str) -> None:
        """Give it up. Raises NotFoundError, ConflictError('upload_busy')."""
        path = self._path(upload_id)
        with _locked(path):
            path.unlink(missing_ok=True)

    def remove_stale(self) -> None:
        """Delete uploads to which nobody has added anything for a day."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if time.time() - path.lstat().st_mtime > STALE_AFTER_S:
                    path.unlink(missing_ok=True)

    def _path(self, upload_id: str) -> Path:
        if re.fullmatch(r"[0-9a-f]{16}", upload_id):
            for path in self._folder.glob(f"{upload_id}-*"):
                return path
        raise NotFoundError("upload_not_found", id=upload_id[:80])


def write_failed(error: OSError) -> UnavailableError:
    """What to tell the user when a received byte could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError("disk_full_now")
    return UnavailableError("storage_failed", detail=str(error))


def _described(path: Path) -> Upload:
    parts = _NAME.fullmatch(path.name)
    try:
        received_bytes = path.stat().st_size
    except FileNotFoundError:
        parts = None
    if parts is None:
        raise NotFoundError("upload_not_found", id=path.name[:16])
    return Upload.model_validate(
        {
            "id": parts["id"],
            "purpose": parts["purpose"],
            "size_bytes": int(parts["size"]),
            "received_bytes": received_bytes,
            "chunk_bytes": CHUNK_BYTES,
        }
    )


@contextmanager
def _locked(path: Path) -> Iterator[FileIO]:
    try:
        file = path.open("r+b", buffering=0)
    except FileNotFoundError:
        raise NotFoundError("upload_not_found", id=path.name[:16]) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("upload_busy", id=path.name[:16]) from None
        yield file
