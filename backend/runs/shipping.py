"""Sends what a script reports to the backend, in threads of its own: supervising never waits for the network."""

import hashlib
import json
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.contracts.base import Reason
from backend.contracts.workers import RunStarted
from backend.domain.errors import InvalidInputError
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiRefusedError
from backend.runs.event_tail import BATCH_BYTES, Batch, EventTail
from backend.runs.pacing import pause_after
from backend.runs.run_folder import RunFolder
from backend.runs.script_files import open_regular

POLL_S = 0.1
LONGEST_POLL_S = 0.75
MAX_PATH_CHARS = 300
MAX_DETAIL_CHARS = 300
MAX_WARNINGS = 20
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
        self._not_kept: dict[str, str] = {}

    def warnings(self) -> tuple[Reason, ...]:
        """Files that the script announced and the workstation does not have, with why. Ask after `finish`."""
        if not self._folder.events_dir.is_dir():
            return (Reason(code="run_folder_gone"),)
        listed = sorted(self._not_kept.items())[:MAX_WARNINGS]
        return tuple(
            Reason(code="artifact_not_kept", params={"path": path, "detail": detail}) for path, detail in listed
        )

    def start(self, started: RunStarted, is_resumed: bool) -> None:
        """Begin; the script runs, or ran. `is_resumed`: an earlier agent has shipped an unknown part already."""
        self._started = started
        self._is_resumed = is_resumed
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

    def _announced_so_far(self) -> list[SavedFile]:
        """The files that all lines up to now announce, each as it was announced last."""
        latest: dict[str, SavedFile] = {}
        tail = EventTail(self._folder.events_dir)
        while batches := list(tail.batches()):
            for batch in batches:
                tail.move_to(batch.file, batch.end)
                latest |= {saved.path: saved for saved in announced_files(batch.content, self._folder)[0]}
        return list(latest.values())

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ApiRefusedError as error:
            self._failure = error
            self._on_refused(error)
        except Exception as error:
            # Kept for `finish`: a run whose reports got lost must not look finished.
            self._failure = error
            if not isinstance(error, ApiAwayError):
                raise

    def _tell_started(self) -> None:
        try:
            self._api.started(self._started)
        except ApiRefusedError as error:
            # The run was given up as lost, but what it reported is still taken.
            if not self._is_resumed or error.code != "run_wrong_state":
                raise

    def _ship_lines(self) -> None:
        self._tell_started()
        self._ship_all_lines()

    def _ship_all_lines(self) -> None:
        while True:
            # Asked before the look, so that the last look happens after the script wrote its last line.
            is_last_look = self._ending.is_set()
            started, found, is_all = time.monotonic(), False, True
            for batch in self._tail.batches():
                self._ship(batch)
                is_all = is_all and len(batch.content) < BATCH_BYTES // 2
                found = True
            if not found and is_last_look:
                return
            if is_all and not is_last_look:
                self._ending.wait(pause_after(time.monotonic() - started, POLL_S, LONGEST_POLL_S))

    def _ship(self, batch: Batch) -> None:
        try:
            accepted = self._api.events(batch.file, batch.offset, batch.content, batch.skipped_bytes).accepted
        except ApiRefusedError as error:
            if error.code != "batch_out_of_order":
                raise
            accepted = int(error.params["accepted"])
        self._tail.move_to(batch.file, accepted)
        found, refused = announced_files(batch.content[: max(0, accepted - batch.offset)], self._folder)
        self._not_kept.update(refused)
        for saved in found:
            self._files.put(saved)

    def _ship_files(self) -> None:
        if self._is_resumed:
            # Lines were accepted whose files were still waiting when the earlier agent died.
            known = {(artifact.path, artifact.sha256) for artifact in self._api.artifacts()}
            for announced in self._announced_so_far():
                if (announced.path, announced.sha256) not in known:
                    self._put(announced)
        while (saved := self._files.get()) is not None:
            self._put(saved)

    def _put(self, saved: SavedFile) -> None:
        detail = put_file(self._api, saved)
        if detail is None:
            self._not_kept.pop(saved.path[:MAX_PATH_CHARS], None)
        else:
            self._not_kept[saved.path[:MAX_PATH_CHARS]] = detail


def announced_files(content: bytes, folder: RunFolder) -> tuple[list[SavedFile], dict[str, str]]:
    """Files that the lines of a batch announce; and by path why others can not be sent."""
    found, refused = [], {}
    for line in content.split(b"\n"):
        if b'"artifact"' not in line:
            continue
        path = ""
        try:
            event = json.loads(line)
            if event["k"] != "artifact":
                continue
            path = str(event["path"])[:MAX_PATH_CHARS]
            file = folder.artifact_file(event["path"])
            info = event.get("info") or {}
            found.append(SavedFile(str(event["path"]), str(event["kind"]), str(event["sha256"]), file, dict(info)))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError, InvalidInputError) as error:
            log.warning("a file was announced that can not be sent: %s", error)
            refused[path or "?"] = str(error)[:MAX_DETAIL_CHARS]
    return found, refused


def put_file(api: AgentApi, saved: SavedFile) -> str | None:
    """Send one file; the answer is why that was not possible. A file that has changed is announced by a later line."""
    try:
        if hash_of(saved.file) == saved.sha256:
            api.put_artifact(saved.path, saved.kind, saved.sha256, saved.info, saved.file)
            return None
        detail = "changed after it was saved"
    except OSError as error:
        detail = error.strerror or str(error)
    except ApiRefusedError as error:
        if error.status in (403, 404):
            raise
        detail = str(error)
    log.warning("%s is not kept: %s", saved.path, detail)
    return detail[:MAX_DETAIL_CHARS]


def put_log(api: AgentApi, path: Path) -> None:
    """Send a captured stream as a file of kind `log`."""
    try:
        put_file(api, SavedFile(path.name, "log", hash_of(path), path))
    except OSError as error:
        log.warning("%s can not be read: %s", path.name, error)


def hash_of(path: Path) -> str:
    """sha256 of a file."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
