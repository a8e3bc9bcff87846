"""One `atp.warm_commands` process: isolated as a script is, with torch imported, for the code of one project."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.runs.launchers.base import LaunchPlan, LaunchRequest
from backend.runs.launchers.local import LocalLauncher
from backend.runs.launchers.sandbox_view import write_names
from backend.runs.run_folder import RunFolder

OUTPUT_BYTES = 4 << 20
KILL_GRACE_S = 5
"""so long after the end of the time limit the process itself is believed to hang"""
ENDED_QUIETLY_S = 0.5
REPLY_BYTES = 100
# Set before bubblewrap starts, so that everything inside inherits them.
_LIMITS = (
    "import os, resource as r, sys\n"
    "for kind, value in {r.RLIMIT_DATA: int(sys.argv[1]), r.RLIMIT_FSIZE: 1 << 28, r.RLIMIT_CORE: 0}.items():\n"
    "    r.setrlimit(kind, (value, value))\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)


@dataclass(frozen=True)
class AtpAnswer:
    """How `atp` ended: minus the number of a signal if one ended it, None when it ran out of time."""

    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def is_final(self) -> bool:
        """Whether the same question would be answered the same; a busy or crowded machine may do better next time."""
        return self.exit_code is not None and self.exit_code >= 0


class AtpServer:
    """Started at once; its imports go on while nobody asks. Thread-safe: one question at a time."""

    def __init__(self, launcher: LocalLauncher, etc_dir: Path, scratch_dir: Path, memory_mb: int) -> None:
        scratch_dir.mkdir(parents=True, exist_ok=True)
        self._place = Path(tempfile.mkdtemp(dir=scratch_dir, prefix="atp-")).resolve()
        self._folder = RunFolder(self._place / "run")
        self._busy = threading.Lock()
        self._is_ready = False
        self.used_at = time.monotonic()
        self._folder.make_empty()
        self._folder.run_json.touch()
        # Appending, so that what a command printed can be cut off behind its back.
        self._out, self._err = self._folder.stdout_file.open("a+b"), self._folder.stderr_file.open("a+b")
        self._known = {entry.name for entry in self._folder.root.iterdir()}
        write_names(etc_dir)
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = self._start(_plan(launcher, self._folder), memory_mb, theirs)
        self._replies = self._channel.makefile("rb")

    def _start(self, plan: LaunchPlan, memory_mb: int, channel: socket.socket) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            (sys.executable, "-I", "-c", _LIMITS, str(memory_mb << 20), *plan.argv),
            env={name: value for name, value in plan.env.items() if name not in ("ARM_RUN_DIR", "ARM_API_SOCKET")},
            cwd=plan.cwd,
            stdin=channel.fileno(),
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._busy.locked()

    def is_ready(self) -> bool:
        """Whether its imports are done, so that an answer takes a moment only."""
        if not self._is_ready and self._busy.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError):
                    self._await_ready(0)
            finally:
                self._busy.release()
        return self._is_ready

    def ask(self, code_dir: Path, path: str, text: str, arguments: Sequence[str], timeout_s: float) -> AtpAnswer:
        """Run `atp <arguments>` in a copy of `code_dir` in which the file `path` has `text`."""
        deadline = time.monotonic() + timeout_s
        with self._busy:
            self._fill(code_dir, path, text)
            try:
                exit_code = self._answer(arguments, deadline)
            except TimeoutError:
                exit_code = None
            except (OSError, ValueError):  # it is gone, or what answers is not it any more
                exit_code = -signal.SIGKILL
                self._kill()
            answer = AtpAnswer(exit_code, _head(self._out), _head(self._err))
            self.used_at = time.monotonic()
            self._clean()
        return answer

    def _answer(self, arguments: Sequence[str], deadline: float) -> int | None:
        """Raises TimeoutError while imports go on, OSError or ValueError when there is no sensible answer."""
        if not self._await_ready(deadline - time.monotonic()):
            raise TimeoutError
        for stream in (self._out, self._err):
            os.ftruncate(stream.fileno(), 0)
        seconds = max(deadline - time.monotonic(), 0.1)
        self._channel.settimeout(seconds + KILL_GRACE_S)
        try:
            self._channel.sendall(json.dumps({"arguments": list(arguments), "seconds": seconds}).encode() + b"\n")
            reply = json.loads(self._replies.readline(REPLY_BYTES))
        except TimeoutError:
            raise ConnectionError("it hangs") from None
        return None if reply is None else int(reply)

    def _await_ready(self, seconds: float) -> bool:
        if self._is_ready:
            return True
        self._channel.settimeout(max(seconds, 0.001))
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        if self._replies.readline(REPLY_BYTES) != b'"ready"\n':
            raise ConnectionError("it ended before it could be asked")
        self._is_ready = True
        return True

    def _fill(self, code_dir: Path, path: str, text: str) -> None:
        _empty(self._folder.code_dir)
        shutil.copytree(code_dir, self._folder.code_dir, dirs_exist_ok=True)
        file = self._folder.code_file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text, encoding="utf-8")

    def _clean(self) -> None:
        """Leave nothing of this check for the next one."""
        try:
            for entry in self._folder.root.iterdir():
                if entry.name not in self._known:
                    _remove(entry)
            for folder in (self._folder.home_dir, self._folder.artifacts_dir, self._folder.events_dir):
                _empty(folder)
        except (OSError, RecursionError):
            self._kill()

    def end(self) -> None:
        """Kill it with everything that it started, and remove its files."""
        self._kill()
        with self._busy:
            self._replies.close()
            self._out.close()
            self._err.close()
            shutil.rmtree(self._place, ignore_errors=True)

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)  # at this it ends its child, which has a process group of its own
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDED_QUIETLY_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # bubblewrap takes everything inside with it
        self._process.wait()
        self._channel.close()


def _plan(launcher: LocalLauncher, folder: RunFolder) -> LaunchPlan:
    # -P: what the code of a project calls `random.py` must not answer for Python's own here
    alone = ("--alone",) if launcher.isolation == "bubblewrap" else ()
    request = LaunchRequest(folder, sys.executable, "pipeline.yaml", "", "cpu", threads=1)
    return launcher.plan(request, ("-P", "-m", "atp.warm_commands", *alone))


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _head(stream: BinaryIO) -> str:
    return os.pread(stream.fileno(), OUTPUT_BYTES, 0).decode("utf-8", errors="replace")
