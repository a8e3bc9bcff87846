"""Reads uploaded zip archives without unpacking them to disk. Every rule against hostile archives is applied here."""

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from backend.domain.archive_rules import ArchiveLimits, check_no_clash, common_top_folder, is_noise, safe_path
from backend.domain.errors import InvalidInputError, NotFoundError, TooLargeError

RATIO_FREE_BYTES = 8 << 20
"""Below this unpacked size the ratio does not matter: a one-coloured bitmap packs a thousandfold."""
MAX_DIRECTORY_BYTES_PER_FILE = 400
CHUNK_BYTES = 1 << 20


class FileTree(Protocol):
    """Files of one upload by their path relative to its root. Reading is thread-safe."""

    @property
    def paths(self) -> Collection[str]:
        """Every usable file."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """A whole file; raises TooLargeError when it is longer, InvalidInputError when it can not be read."""


class ZipTree:
    """The safe files of an open archive; see open_zip."""

    def __init__(self, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        self._archive = archive
        self._entries = entries

    @property
    def paths(self) -> Collection[str]:
        """Every usable file."""
        return self._entries.keys()

    def size_bytes(self, path: str) -> int:
        """Declared size of a file; reading never gives more."""
        return self._entries[path].file_size

    def without(self, paths: Collection[str]) -> "ZipTree":
        """The same archive with some files left out."""
        return ZipTree(self._archive, {path: info for path, info in self._entries.items() if path not in paths})

    def copy(self, path: str, target: IO[bytes]) -> None:
        """Write a file of any size to `target`, in flat memory. Raises as `read` does."""
        try:
            with self._archive.open(self._entries[path]) as entry:
                shutil.copyfileobj(entry, target, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise InvalidInputError("archive_entry_broken", entry=path, detail=str(error)[:200]) from None

    def check_sizes(self, limits: ArchiveLimits) -> None:
        """Raise when the files that are left are too many, too large, or packed too well to be true."""
        if len(self._entries) > limits.max_files:
            raise TooLargeError("archive_too_many_files", count=len(self._entries), limit=limits.max_files)
        unpacked = packed = 0
        for path, info in self._entries.items():
            unpacked += info.file_size
            packed += info.compress_size
            if unpacked > limits.max_bytes:
                raise TooLargeError("archive_too_large", entry=path, limit_mb=limits.max_bytes >> 20)
            if info.file_size > RATIO_FREE_BYTES and info.file_size > info.compress_size * limits.max_ratio:
                raise TooLargeError("archive_ratio", entry=path, limit=limits.max_ratio)
        if unpacked > RATIO_FREE_BYTES and unpacked > packed * limits.max_ratio:
            raise TooLargeError("archive_ratio", entry="*", limit=limits.max_ratio)

    def read(self, path: str, max_bytes: int) -> bytes:
        """A whole file. Raises InvalidInputError naming it when its bytes are damaged."""
        info = self._entries.get(path)
        if info is None:
            raise NotFoundError("file_not_found", path=path)
        if info.file_size > max_bytes:
            raise TooLargeError("file_too_large", path=path, limit_mb=max(1, max_bytes >> 20))
        try:
            with self._archive.open(info) as entry:
                # zipfile stops at the declared size and then compares the checksum, so a lie about it shows here.
                return entry.read()
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise InvalidInputError("archive_entry_broken", entry=path, detail=str(error)[:200]) from None


@contextmanager
def open_zip(
    path: Path,
    limits: ArchiveLimits,
    noise: frozenset[str],
    meaningful_folders: frozenset[str] = frozenset(),
    left_out: Callable[[ZipTree], Collection[str]] = lambda _: (),
) -> Iterator[ZipTree]:
    """Open an uploaded archive for reading; nothing is ever unpacked to disk.

    Refused, with the entry named: paths that leave the archive, links and other special files, encrypted entries, two
    entries of one path, names that are not UTF-8, unusual compression, more than `limits` allow (declared sizes here,
    real ones while reading), and files that are no zip or are cut short. Files in `noise` are ignored, a single top
    folder is stripped unless its name is one of `meaningful_folders`. `left_out(tree)` names files that the caller
    does not want; they do not count for the limits.
    """
    _check_directory_size(path, limits.max_files)
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise _not_a_zip(path) from None
    except (UnicodeDecodeError, NotImplementedError, ValueError, struct.error) as error:
        code = "archive_name_not_utf8" if isinstance(error, UnicodeDecodeError) else "archive_truncated"
        raise InvalidInputError(code, entry="?") from None
    with archive:
        tree = ZipTree(archive, _safe_entries(archive, noise, meaningful_folders))
        tree = tree.without(left_out(tree))
        tree.check_sizes(limits)
        yield tree


def _safe_entries(
    archive: zipfile.ZipFile, noise: frozenset[str], meaningful: frozenset[str]
) -> dict[str, zipfile.ZipInfo]:
    entries: list[tuple[str, zipfile.ZipInfo]] = []
    for info in archive.infolist():
        name = _decoded_name(info)
        path = safe_path(name.rstrip("/") or name)
        if is_noise(path, noise):
            continue
        _check_kind(name, info)
        if not name.endswith("/"):
            entries.append((path, info))
    check_no_clash(path for path, _ in entries)
    top = common_top_folder((path for path, _ in entries), meaningful)
    return {path.removeprefix(top): info for path, info in entries}


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """The whole name: `filename` is cut at a NUL byte, and without the UTF-8 flag it was decoded as code page 437."""
    name = info.orig_filename
    if info.flag_bits & 0x800 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        raise InvalidInputError("archive_name_not_utf8", entry=name) from None


def _check_kind(name: str, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise InvalidInputError("archive_symlink", entry=name)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidInputError("archive_special_file", entry=name)
    if info.flag_bits & 0x1:
        raise InvalidInputError("archive_encrypted", entry=name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidInputError("archive_method", entry=name)


def _check_directory_size(path: Path, max_files: int) -> None:
    """zipfile reads the whole central directory into memory, so its declared size is looked at first."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail_start = max(0, size - 65_557)
        file.seek(tail_start)
        tail = file.read()
        position = tail.rfind(b"PK\x05\x06")
        if position < 0 or len(tail) - position < 22:
            raise _not_a_zip(path)
        (directory_bytes,) = struct.unpack_from("<L", tail, position + 12)
        if position >= 76 and tail[position - 20 : position - 16] == b"PK\x06\x07":
            (directory_bytes,) = struct.unpack_from("<Q", tail, position - 76 + 40)
    if directory_bytes > max(1 << 20, max_files * MAX_DIRECTORY_BYTES_PER_FILE):
        raise TooLargeError("archive_too_many_files", count=f"> {max_files}", limit=max_files)


def _not_a_zip(path: Path) -> InvalidInputError:
    with path.open("rb") as file:
        starts_like_one = file.read(4) == b"PK\x03\x04"
    return InvalidInputError("archive_truncated" if starts_like_one else "archive_not_zip")
