"""Proves every second, or less often where the API is slow, that the agent lives, and hears whether to stop."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from backend.contracts.workers import AgentNote, Heartbeat
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiRefusedError
from backend.runs.pacing import pause_after
from backend.runs.script_files import open_regular

PERIOD_S = 1.0
LONGEST_PERIOD_S = 5.0
LIVE_TAIL_BYTES = 64 << 10
"""Of each stream while the script runs: some hundred lines for the reader of the log."""
END_TAIL_BYTES = 8 << 10
"""Of stderr with the end of the run, where a traceback stands; the whole files go along."""
log = logging.getLogger(__name__)


class Heart:
    """A thread of its own, so that a long upload or download does not look like death."""

    def __init__(
        self,
        api: AgentApi,
        stdout_file: Path,
        stderr_file: Path,
        on_stop_requested: Callable[[], None],
        on_refused: Callable[[ApiRefusedError], None],
    ) -> None:
        self._api = api
        self._streams = {"stdout_tail": ChangingTail(stdout_file), "stderr_tail": ChangingTail(stderr_file)}
        self._on_stop_requested = on_stop_requested
        self._on_refused = on_refused
        self._notes: dict[str, AgentNote] = {}
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat once more if there is something left to tell, then no more."""
        self._stopping.set()
        self._thread.join()

    def note(self, note: AgentNote) -> None:
        """Tell the readers of the run, once; with one of the next beats."""
        if note.code not in self._told:
            self._notes[note.code] = note

    def _beat(self) -> None:
        while True:
            is_last = self._stopping.is_set()
            if is_last and not self._notes:
                return
            started = time.monotonic()
            try:
                self._beat_once()
            except ApiRefusedError as error:
                self._on_refused(error)
                return
            if is_last:
                return
            self._stopping.wait(pause_after(time.monotonic() - started, PERIOD_S, LONGEST_PERIOD_S))

    def _beat_once(self) -> None:
        changed = {name: text for name, stream in self._streams.items() if (text := stream.read()) is not None}
        notes = tuple(self._notes.values())
        try:
            reply = self._api.heartbeat(Heartbeat(**changed, notes=notes))
        except ApiAwayError as error:
            log.info("no heartbeat: %s", error)
            for name in changed:
                self._streams[name].forget()
            return
        for note in notes:
            self._told.add(note.code)
            del self._notes[note.code]
        if reply.is_stop_requested:
            self._on_stop_requested()


class ChangingTail:
    """The last 64 KiB of a growing file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size_bytes = 0

    def read(self) -> str | None:
        """The tail, or None when nothing was added since the last look."""
        try:
            size_bytes = self._path.lstat().st_size
        except OSError:
            return None
        if size_bytes == self._size_bytes:
            return None
        self._size_bytes = size_bytes
        return tail_text(self._path, LIVE_TAIL_BYTES)

    def forget(self) -> None:
        """The last tail did not arrive: read it again next time."""
        self._size_bytes = -1


def tail_text(path: Path, length_bytes: int = END_TAIL_BYTES) -> str:
    """The end of a file as text in whole lines; empty when there is no file, or the script put something else there."""
    try:
        with open_regular(path) as file:
            start = file.seek(max(0, file.seek(0, 2) - length_bytes))
            content = file.read(length_bytes)
    except OSError:
        return ""
    if start:
        content = content.partition(b"\n")[2] or content  # One endless line stays.
    return content.decode(errors="replace")
