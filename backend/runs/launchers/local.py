"""Starts a script as a process of this machine, in a session of its own, isolated by nothing else."""

import os
import time

from backend.runs.launchers.base import LaunchPlan, LaunchRequest, script_argv, script_environment
from backend.runs.script_process import ScriptPlace, ScriptProcess, SpareShim


class LocalLauncher:
    """Stateless: what is started belongs to its shim."""

    isolation = "process"

    def plan(self, request: LaunchRequest, python_arguments: tuple[str, ...] | None = None) -> LaunchPlan:
        """What `start` would execute: the request's script, or Python with other arguments.

        Raises ValueError when the arguments can not be split.
        """
        return LaunchPlan(
            argv=script_argv(request) if python_arguments is None else (request.python, *python_arguments),
            env=script_environment(request, os.environ),
            cwd=request.folder.code_dir,
            stdout=request.folder.stdout_file,
            stderr=request.folder.stderr_file,
        )

    def start(self, plan: LaunchPlan, place: ScriptPlace, spare: SpareShim) -> ScriptProcess:
        """Start the script under a shim. Raises OSError when the program can not be executed."""
        return ScriptProcess.start(place, plan, self.isolation, spare)


def stop_script(script: ScriptProcess, grace_s: float) -> int:
    """SIGTERM to the group, `grace_s` seconds, SIGKILL to all; the answer is the exit code."""
    script.terminate()
    deadline = time.monotonic() + grace_s
    while (exit_code := script.wait(0.05)) is None:
        if time.monotonic() > deadline:
            script.kill()
    return exit_code
