"""Reads what was added to the event files of a run, in batches of whole lines. Remembers offsets, sends nothing."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.domain.event_lines import MAX_LINE_BYTES, whole_lines
from backend.runs.script_files import open_regular

BATCH_BYTES = 1 << 20
SCAN_BYTES = 16 << 20
"""How much of a line that is too long is in memory while its end is searched."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\.jsonl")


@dataclass(frozen=True)
class Batch:
    """Whole lines of one file from `offset` on; or no content and the length of one line that is too long to send."""

    file: str
    offset: int
    content: bytes
    skipped_bytes: int = 0

    @property
    def end(self) -> int:
        """The offset after the last line."""
        return self.offset + len(self.content) + self.skipped_bytes


class EventTail:
    """Offsets move only by `move_to`, so what was not accepted is read again.

    From the same offset a later batch is never shorter: a file only grows, and the size limit falls on the same line.
    """

    def __init__(self, events_dir: Path) -> None:
        self._events_dir = events_dir
        self._offsets: dict[str, int] = {}
        self._searched: dict[str, int] = {}
        """Up to where the end of a too long line was searched in vain, so that no byte is read twice."""

    def move_to(self, file: str, offset: int) -> None:
        """The next batch of `file` begins at `offset`."""
        self._offsets[file] = offset

    def batches(self) -> Iterator[Batch]:
        """The next batch of every file that has grown by at least one whole line."""
        for name in _event_files(self._events_dir):
            offset = self._offsets.get(name, 0)
            try:
                file = open_regular(self._events_dir / name)
            except OSError:
                continue
            with file:
                content, is_too_long = _read_lines(file.fileno(), offset)
                skipped_bytes = self._long_line_bytes(file.fileno(), name, offset) if is_too_long else 0
            if content or skipped_bytes:
                yield Batch(name, offset, content, skipped_bytes)

    def _long_line_bytes(self, descriptor: int, name: str, offset: int) -> int:
        """Length of the too long line at `offset` with its line break, 0 while that is not found."""
        start = max(self._searched.get(name, 0), offset + MAX_LINE_BYTES)
        while content := os.pread(descriptor, SCAN_BYTES, start):
            found = content.find(b"\n")
            if found >= 0:
                return start + found + 1 - offset
            start += len(content)
            self._searched[name] = start
        return 0


def _event_files(events_dir: Path) -> list[str]:
    try:
        return sorted(path.name for path in events_dir.iterdir() if _NAME.fullmatch(path.name))
    except OSError:  # The script deleted its own folder: there is nothing more to read.
        return []


def _read_lines(descriptor: int, offset: int) -> tuple[bytes, bool]:
    """Whole lines, and whether there are none because the first is too long."""
    content = os.pread(descriptor, BATCH_BYTES, offset)
    lines = whole_lines(content, BATCH_BYTES)
    if not lines and len(content) == BATCH_BYTES:
        content = os.pread(descriptor, MAX_LINE_BYTES, offset)
        lines = whole_lines(content, BATCH_BYTES)
    return lines, not lines and len(content) == MAX_LINE_BYTES
