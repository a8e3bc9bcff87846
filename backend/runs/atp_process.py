"""Runs `atp` on a project's code apart from the backend, the way a script runs: it imports torch and the user's code.

A process that has torch imported is kept for each project in use, inside bubblewrap where that works on this machine;
it forks a child per question, with a time limit and a limit of memory. Nothing is reported from here to a run.
"""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.runs.atp_server import AtpAnswer, AtpServer

KEPT = 2
"""processes kept at a time; each is a project's own, so that code of one never meets questions of another"""
LOOK_EVERY_S = 5
log = logging.getLogger(__name__)


class AtpProcess:
    """Thread-safe; `close` ends what runs. `start` makes a process; one that nobody asks for `idle_s` is ended."""

    def __init__(self, start: Callable[[], AtpServer], timeout_s: float, idle_s: float) -> None:
        self._start = start
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._servers: OrderedDict[str, AtpServer] = OrderedDict()
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._keeper: threading.Thread | None = None
        self._is_closed = False

    def warm_up(self, project_id: str) -> None:
        """Start the imports of a project's process, or keep it for a while longer. Returns at once."""
        with self._lock:
            server = self._servers.get(project_id)
            if server is not None:
                server.used_at = time.monotonic()
            elif not self._is_closed and self._idle_s > 0:
                self._keep()
                self._wanted.put(project_id)

    def is_warm(self, project_id: str) -> bool:
        """Whether an answer takes a moment only."""
        with self._lock:
            server = self._servers.get(project_id)
        return server is not None and server.is_ready()

    def run(self, project_id: str, code_dir: Path, path: str, text: str, arguments: Sequence[str]) -> AtpAnswer:
        """Run `atp <arguments>` in a copy of `code_dir` in which the file `path` has `text`."""
        deadline = time.monotonic() + self._timeout_s
        server = self._server(project_id)
        if server is None:
            return AtpAnswer(None, "", "the backend is stopping")
        return server.ask(code_dir, path, text, arguments, deadline - time.monotonic())

    def _server(self, project_id: str) -> AtpServer | None:
        """The project's process, started if it is not there or was killed."""
        with self._starting:
            with self._lock:
                if self._is_closed:
                    return None
                server = self._servers.get(project_id)
                if server is not None and server.is_alive:
                    self._servers.move_to_end(project_id)
                    return server
            self._end([project_id])
            started = self._start()
            with self._lock:
                self._servers[project_id] = started
                others = [name for name, one in self._servers.items() if one is not started and not one.is_busy]
                surplus = others[: max(len(self._servers) - KEPT, 0)]
                self._keep()
            self._end(surplus)
            return started

    def _keep(self) -> None:
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep_servers, name="pipeline-warmth", daemon=True)
            self._keeper.start()

    def _keep_servers(self) -> None:
        """Start what is wanted and end what idles. A thread that lives as long as we do: the sandbox dies with it."""
        while not self._is_closed:
            try:
                self._server(self._wanted.get(timeout=LOOK_EVERY_S))
            except OSError:
                log.exception("no process for checks of pipelines could be started")
            except queue.Empty:
                border = time.monotonic() - self._idle_s
                with self._lock:
                    idle = [name for name, one in self._servers.items() if one.used_at < border and not one.is_busy]
                self._end(idle)

    def _end(self, project_ids: Sequence[str]) -> None:
        with self._lock:
            ended = [server for name in project_ids if (server := self._servers.pop(name, None)) is not None]
        for server in ended:
            server.end()

    def close(self) -> None:
        """Kill what runs and start nothing more."""
        with self._lock:
            self._is_closed = True
        with self._starting:
            self._end(list(self._servers))
        if self._keeper is not None:
            self._wanted.put("")
            self._keeper.join()
