"""Runs `atp` on a project's code apart from the backend, the way a script runs: it imports torch and the user's code.

Inside bubblewrap where that works on this machine, with a time limit and a limit of memory. Nothing is reported from
here to a run; what it prints is the answer.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.runs.launchers.base import LaunchRequest
from backend.runs.launchers.local import LocalLauncher
from backend.runs.launchers.sandbox_view import write_names
from backend.runs.run_folder import RunFolder

OUTPUT_BYTES = 4 << 20
# Set before bubblewrap starts, so that everything inside inherits them.
_LIMITS = (
    "import os, resource as r, sys\n"
    "limits = {r.RLIMIT_DATA: int(sys.argv[1]), r.RLIMIT_CPU: int(sys.argv[2]), r.RLIMIT_FSIZE: 1 << 28}\n"
    "for kind, value in {**limits, r.RLIMIT_CORE: 0}.items():\n"
    "    r.setrlimit(kind, (value, value))\n"
    "os.execvp(sys.argv[3], sys.argv[3:])\n"
)


@dataclass(frozen=True)
class AtpAnswer:
    """How `atp` ended. `exit_code` is None when it ran out of time."""

    exit_code: int | None
    stdout: str
    stderr: str


class AtpProcess:
    """Thread-safe; `close` ends what still runs."""

    def __init__(
        self, launcher: Callable[[], LocalLauncher], etc_dir: Path, scratch_dir: Path, timeout_s: float, memory_mb: int
    ) -> None:
        self._launcher = launcher
        self._etc_dir = etc_dir
        self._scratch_dir = scratch_dir
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def run(self, code_dir: Path, path: str, text: str, arguments: Sequence[str]) -> AtpAnswer:
        """Run `atp <arguments>` in a copy of `code_dir` in which the file `path` has `text`."""
        self._scratch_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch_dir, prefix="atp-", ignore_cleanup_errors=True) as place:
            folder = RunFolder(Path(place).resolve() / "run")
            folder.make_empty()
            shutil.copytree(code_dir, folder.code_dir, dirs_exist_ok=True)
            file = folder.code_file(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.write_text(text, encoding="utf-8")
            for made in (folder.run_json, folder.stdout_file, folder.stderr_file):
                made.touch()
            return self._run(folder, path, arguments)

    def _run(self, folder: RunFolder, path: str, arguments: Sequence[str]) -> AtpAnswer:
        request = LaunchRequest(folder, sys.executable, path, "", "cpu", threads=1)
        plan = self._launcher().plan(request, ("-m", "atp.cli", "--root", ".", *arguments))
        env = {name: value for name, value in plan.env.items() if name not in ("ARM_RUN_DIR", "ARM_API_SOCKET")}
        write_names(self._etc_dir)
        limits = (str(self._memory_mb << 20), str(int(self._timeout_s) + 1))
        argv = (sys.executable, "-I", "-c", _LIMITS, *limits, *plan.argv)
        with folder.stdout_file.open("wb") as out, folder.stderr_file.open("wb") as err:
            with self._lock:
                if self._is_closed:
                    return AtpAnswer(None, "", "the backend is stopping")
                process = subprocess.Popen(
                    argv,
                    env=env,
                    cwd=plan.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
                self._running.add(process)
            try:
                exit_code: int | None = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                exit_code = None
            finally:
                _kill(process)
                with self._lock:
                    self._running.discard(process)
        return AtpAnswer(exit_code, _head(folder.stdout_file), _head(folder.stderr_file))

    def close(self) -> None:
        """Kill what runs and start nothing more."""
        with self._lock:
            self._is_closed = True
            for process in self._running:
                _kill(process, wait=False)


def _kill(process: "subprocess.Popen[bytes]", wait: bool = True) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # bubblewrap takes everything inside with it
    if wait:
        process.wait()


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(OUTPUT_BYTES).decode("utf-8", errors="replace")
