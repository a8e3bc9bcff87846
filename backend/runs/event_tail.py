"""Reads what was added to the event files of a run, in batches of whole lines. Remembers offsets, sends nothing."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.domain.event_lines import whole_lines

BATCH_BYTES = 1 << 20
LONGEST_LINE_BYTES = 17 << 20
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\.jsonl")


@dataclass(frozen=True)
class Batch:
    """Whole lines of one file from `offset` on."""

    file: str
    offset: int
    content: bytes

    @property
    def end(self) -> int:
        """The offset after the last line."""
        return self.offset + len(self.content)


class EventTail:
    """Offsets move only by `move_to`, so what was not accepted is read again.

    From the same offset a later batch is never shorter: a file only grows, and the size limit falls on the same line.
    """

    def __init__(self, events_dir: Path) -> None:
        self._events_dir = events_dir
        self._offsets: dict[str, int] = {}

    def move_to(self, file: str, offset: int) -> None:
        """The next batch of `file` begins at `offset`."""
        self._offsets[file] = offset

    def batches(self) -> Iterator[Batch]:
        """The next batch of every file that has grown by at least one whole line."""
        for entry in sorted(os.scandir(self._events_dir), key=lambda entry: entry.name):
            if not _NAME.fullmatch(entry.name):
                continue
            offset = self._offsets.get(entry.name, 0)
            content = _read_lines(entry.path, offset)
            if content:
                yield Batch(entry.name, offset, content)


def _read_lines(path: str, offset: int) -> bytes:
    try:
        # The script owns this folder: a link must not make us ship another file, a pipe must not make us wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size <= offset:
            return b""
        content = os.pread(descriptor, BATCH_BYTES, offset)
        lines = whole_lines(content, BATCH_BYTES)
        if not lines and len(content) == BATCH_BYTES:
            lines = whole_lines(os.pread(descriptor, LONGEST_LINE_BYTES, offset), BATCH_BYTES)
        return lines
    finally:
        os.close(descriptor)
