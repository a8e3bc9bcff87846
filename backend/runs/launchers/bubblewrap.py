"""Starts a script inside bubblewrap: namespaces of its own, no capabilities, only what it needs of the disk."""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from backend.runs.launchers.base import LaunchPlan, LaunchRequest
from backend.runs.launchers.local import LocalLauncher
from backend.runs.launchers.sandbox_view import view, write_names
from backend.runs.run_folder import RunFolder
from backend.runs.script_process import ScriptPlace, ScriptProcess, SpareShim

# `--unshare-user` and the ids: without them root keeps its capabilities inside.
NAMESPACES = (
    *("--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"),
    *("--disable-userns", "--unshare-pid", "--die-with-parent", "--hostname", "localhost"),
)
PROBE_PATIENCE_S = 60
USER = {"USER": "arm", "LOGNAME": "arm"}


class BubblewrapLauncher(LocalLauncher):
    """`etc_dir` is where the few files of the script's own /etc are kept, the same for all runs."""

    isolation = "bubblewrap"

    def __init__(self, etc_dir: Path) -> None:
        self._etc_dir = etc_dir

    def plan(self, request: LaunchRequest, python_arguments: tuple[str, ...] | None = None) -> LaunchPlan:
        """What `start` would execute. Raises ValueError when the arguments can not be split."""
        plan = super().plan(request, python_arguments)
        env = {name: value for name, value in plan.env.items() if name != "TMPDIR"} | USER
        options = view(request.folder, self._etc_dir, request.network, request.device != "cpu", env)
        # bubblewrap passes no SIGTERM on and would die of it, so it ignores the one that the whole group gets.
        argv = (
            *("env", "--ignore-signal=TERM", "bwrap", *NAMESPACES),
            *(("--share-net",) if request.network else ()),
            *(*options, "--chdir", str(plan.cwd), "--"),
            *("env", "--default-signal=TERM", *plan.argv),
        )
        return replace(plan, argv=argv, env=env)

    def start(self, plan: LaunchPlan, place: ScriptPlace, spare: SpareShim) -> ScriptProcess:
        """Start the script under a shim. Raises OSError when the program can not be executed."""
        write_names(self._etc_dir)
        return super().start(plan, place, spare)


def bubblewrap_fault(etc_dir: Path) -> str | None:
    """Why scripts can not be started inside bubblewrap on this machine, None when they can: an empty one is tried."""
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    with tempfile.TemporaryDirectory(prefix="arm-probe-") as place:
        folder = RunFolder(Path(place).resolve() / "run")
        folder.make_empty()
        for file in (folder.run_json, folder.stdout_file, folder.stderr_file, folder.code_file("probe.py")):
            file.touch()
        plan = BubblewrapLauncher(etc_dir).plan(LaunchRequest(folder, sys.executable, "probe.py", "", "cpu"))
        write_names(etc_dir)
        try:
            tried = subprocess.run(
                plan.argv, env=plan.env, cwd=plan.cwd, capture_output=True, text=True, timeout=PROBE_PATIENCE_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if tried.returncode == 0:
        return None
    return (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1][:300]
