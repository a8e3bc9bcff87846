"""Sends what a script reports to the backend, in threads of its own: supervising never waits for the network."""

import hashlib
import json
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.contracts.runs import RunStarted
from backend.domain.errors import InvalidInputError
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiRefusedError
from backend.runs.event_tail import Batch, EventTail
from backend.runs.run_folder import RunFolder

POLL_S = 0.1
CHUNK_BYTES = 1 << 20
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedFile:
    """A file of artifacts/ that an event line announced, or a log."""

    path: str
    kind: str
    sha256: str
    file: Path
    info: dict[str, Any] = field(default_factory=dict)


class Shipper:
    """First tells that the script started, then ships lines and files until `finish`.

    `on_refused` is called once when the backend no longer takes anything from this run.
    """

    def __init__(self, api: AgentApi, folder: RunFolder, on_refused: Callable[[ApiRefusedError], None]) -> None:
        self._api = api
        self._folder = folder
        self._on_refused = on_refused
        self._tail = EventTail(folder.events_dir)
        self._files: queue.Queue[SavedFile | None] = queue.Queue()
        self._ending = threading.Event()
        self._threads = (
            threading.Thread(target=self._guarded, args=(self._ship_lines,), name="events", daemon=True),
            threading.Thread(target=self._guarded, args=(self._ship_files,), name="artifacts", daemon=True),
        )
        self._failure: Exception | None = None

    def start(self, started: RunStarted) -> None:
        """Begin; the script runs."""
        self._started = started
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Ship all that is left and return. Raises ApiAwayError or ApiRefusedError when that was not possible."""
        self._ending.set()
        self._threads[0].join()
        self._files.put(None)
        self._threads[1].join()
        if self._failure is not None:
            raise self._failure

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ApiRefusedError as error:
            self._failure = error
            self._on_refused(error)
        except ApiAwayError as error:
            self._failure = error

    def _ship_lines(self) -> None:
        self._api.started(self._started)
        while True:
            # Asked before the look, so that the last look happens after the script wrote its last line.
            is_last_look = self._ending.is_set()
            found = False
            for batch in self._tail.batches():
                found = True
                self._ship(batch)
            if not found:
                if is_last_look:
                    return
                self._ending.wait(POLL_S)

    def _ship(self, batch: Batch) -> None:
        try:
            accepted = self._api.events(batch.file, batch.offset, batch.content).accepted
        except ApiRefusedError as error:
            if error.code != "batch_out_of_order":
                raise
            accepted = int(error.params["accepted"])
        self._tail.move_to(batch.file, accepted)
        for saved in announced_files(batch.content[: max(0, accepted - batch.offset)], self._folder):
            self._files.put(saved)

    def _ship_files(self) -> None:
        while (saved := self._files.get()) is not None:
            put_file(self._api, saved)


def announced_files(content: bytes, folder: RunFolder) -> list[SavedFile]:
    """Files that the lines of a batch announce; what is no sound announcement is left out."""
    found = []
    for line in content.split(b"\n"):
        if b'"artifact"' not in line:
            continue
        try:
            event = json.loads(line)
            if event["k"] != "artifact":
                continue
            file = folder.artifact_file(event["path"])
            info = event.get("info") or {}
            found.append(SavedFile(str(event["path"]), str(event["kind"]), str(event["sha256"]), file, dict(info)))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, InvalidInputError) as error:
            log.warning("a file was announced that can not be sent: %s", error)
    return found


def put_file(api: AgentApi, saved: SavedFile) -> None:
    """Send one file, unless it is gone or has changed: then a later line announces what it is now."""
    try:
        if hash_of(saved.file) != saved.sha256:
            log.warning("%s changed after it was announced", saved.path)
            return
        api.put_artifact(saved.path, saved.kind, saved.sha256, saved.info, saved.file)
    except OSError as error:
        log.warning("%s can not be read: %s", saved.path, error)
    except ApiRefusedError as error:
        if error.status in (403, 404):
            raise
        log.warning("%s was refused: %s", saved.path, error)


def put_log(api: AgentApi, path: Path) -> None:
    """Send a captured stream as a file of kind `log`."""
    if path.exists():
        put_file(api, SavedFile(path.name, "log", hash_of(path), path))


def hash_of(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
