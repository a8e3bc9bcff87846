"""Appends event lines to this process's own file: one `os.write` a line, so a line that was written survives kill -9.

No thread, no socket. A full disk never stops the caller: lines wait in memory, up to a bound, for the next call.
"""

import atexit
import os
import sys
import threading
import time
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any

from PlatformAPI.event_encoding import encode, encoded_line

MAX_WAITING_BYTES = 32 * 2**20


class EventWriter:
    """The one writer of a process. Safe to use from several threads; a forked child starts its own file."""

    def __init__(self, events_dir: Path) -> None:
        self._events_dir = events_dir
        self._fd = -1
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the file, the lock and the waiting lines of the parent process; called in a child after a fork."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        # Re-entrant, because a signal handler of the script may log in the middle of a call.
        self._lock = threading.RLock()
        # 0 belongs to the `sdk_ready` line that opens every file.
        self.sequence = count(1)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped_count = 0
        self._is_flushing = False
        self._has_greeted = False
        self._has_warned = False

    def open(self) -> None:
        """Open the file and write the `sdk_ready` line, once in a process."""
        if not self._has_greeted:
            with self._lock:
                self._flush()

    def write_event(self, event_kind: str, about: str, **fields: Any) -> None:
        """Append one event. `about` names it in errors. Raises WrongArgumentError if it is no JSON or over 12 MiB."""
        event = {"k": event_kind, "t": time.time(), "s": next(self.sequence), **fields}
        self.write(encoded_line(event, about))

    def write(self, line: bytes) -> None:
        """Append one complete line; never raises for a disk that is full or gone."""
        with self._lock:
            if self._waiting or self._fd < 0:
                self._keep(line)
                self._flush()
                return
            try:
                written = os.write(self._fd, line)
            except OSError as error:
                self._keep(line)
                self._warn(error)
                return
            if written != len(line):
                self._keep(line[written:])
                self._flush()

    def close(self) -> None:
        """Close the file after a last try to write what waits. Not needed before a process ends."""
        with self._lock:
            if self._waiting:
                self._flush()
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _keep(self, line: bytes) -> None:
        if self._waiting_bytes + len(line) > MAX_WAITING_BYTES:
            self._dropped_count += 1
            return
        self._waiting.append(line)
        self._waiting_bytes += len(line)

    def _flush(self) -> None:
        """Write what waits, oldest first. The first entry may be the rest of a line that was written in part."""
        if self._is_flushing:
            return  # a signal handler logged during a flush: the interrupted flush takes its line along
        self._is_flushing = True
        try:
            if self._fd < 0:
                self._fd = self._open_unused_file()
            if not self._has_greeted:
                self._has_greeted = True
                self._put_first(encode({"k": "status", "t": time.time(), "s": 0, "what": "sdk_ready"}) + b"\n")
            while self._waiting:
                written = os.write(self._fd, self._waiting[0])
                rest = self._waiting.popleft()[written:]
                self._waiting_bytes -= written
                if rest:
                    self._waiting.appendleft(rest)
                elif not self._waiting and self._dropped_count:
                    self._report_dropped()
        except OSError as error:
            self._warn(error)
        finally:
            self._is_flushing = False

    def _put_first(self, line: bytes) -> None:
        self._waiting.appendleft(line)
        self._waiting_bytes += len(line)

    def _report_dropped(self) -> None:
        text = f"{self._dropped_count} events were lost while the disk of the run folder could not be written"
        self._dropped_count = 0
        event = {"k": "message", "t": time.time(), "s": next(self.sequence), "level": "warning", "text": text}
        self._keep(encode(event) + b"\n")

    def _open_unused_file(self) -> int:
        self._events_dir.mkdir(parents=True, exist_ok=True)
        for number in count():
            # A process id alone is not unique: containers and restarted scripts repeat it.
            path = self._events_dir / f"{os.getpid()}-{number}.jsonl"
            try:
                return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                continue
        raise AssertionError("unreachable: count() has no end")

    def _warn(self, error: OSError) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        atexit.register(self.close)
        if sys.stderr is not None:
            sys.stderr.write(
                f"PlatformAPI: cannot write to {self._events_dir}: {error.strerror or error}. The script goes on; "
                f"up to {MAX_WAITING_BYTES // 2**20} MiB of events wait in memory and are written when it works.\n"
            )
