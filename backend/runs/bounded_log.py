"""Captured output on disk: never an error for the script that prints, never more blocks than a limit.

Over the limit the first and the last half of it are kept: the middle is given back to the file system as a hole while
the script runs, and closed when it ended.
"""

import ctypes
import os
from pathlib import Path

BLOCK = 4096
MOVE_BYTES = 1 << 20
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class BoundedLog:
    """The only writer of one file."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._half = max(BLOCK, limit_bytes // 2 // BLOCK * BLOCK)
        self._size = os.fstat(self._descriptor).st_size
        self._hole_end = self._half
        self._lost_bytes = 0
        self._can_punch = True

    def write(self, chunk: bytes) -> None:
        """Append; what does not fit on the disk is counted and left out."""
        if self._lost_bytes:
            note = f"\n[{self._lost_bytes} bytes of output are missing here: the disk was full]\n".encode()
            if self._append(note) < len(note):
                self._lost_bytes += len(chunk)
                return
            self._lost_bytes = 0
        if not self._can_punch and self._size > 2 * self._half:
            self._lost_bytes += len(chunk)
            return
        self._lost_bytes += len(chunk) - self._append(chunk)
        if self._size - self._hole_end > self._half + MOVE_BYTES:
            self._punch((self._size - self._half) // BLOCK * BLOCK)

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)

    def _append(self, chunk: bytes) -> int:
        view = memoryview(chunk)
        while view:
            try:
                written = os.write(self._descriptor, view)
            except OSError:
                break
            self._size += written
            view = view[written:]
        return len(chunk) - len(view)

    def _punch(self, end: int) -> None:
        length = end - self._hole_end
        if _libc.fallocate(self._descriptor, _KEEP_SIZE | _PUNCH_HOLE, self._hole_end, length) != 0:
            self._can_punch = False  # A file system without holes: only the beginning is kept.
            return
        self._hole_end = end


def close_hole(path: Path) -> int:
    """Join the halves of a log that was cut, with a note between them; the answer is how many bytes are missing.

    Works in place, because a copy may not fit on the disk. Call it when nobody writes any more.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(descriptor).st_size
        start = os.lseek(descriptor, 0, os.SEEK_HOLE) if size else 0
        if start >= size:
            return 0
        try:
            end = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError:  # Nothing but the hole.
            end = size
        missing = end - start
        note = f"\n[{missing} bytes of output are left out here: the log is longer than ARM_LOG_MAX_MB]\n".encode()
        os.pwrite(descriptor, note, start)
        position = start + len(note)
        while chunk := os.pread(descriptor, MOVE_BYTES, end):
            position += os.pwrite(descriptor, chunk, position)
            end += len(chunk)
        os.ftruncate(descriptor, position)
        return missing
    finally:
        os.close(descriptor)
