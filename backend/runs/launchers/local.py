"""Starts a script as a process of this machine, in a session of its own, isolated by nothing else."""

import os
import signal
import subprocess
import time

import psutil

from backend.runs.launchers.base import LaunchPlan, LaunchRequest, script_argv, script_environment
from backend.runs.process_tree import adopt_orphans, die_with_parent, end_descendants


class LocalScript:
    """A script in its own session; its orphans come back to this process, which is their subreaper."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self._process = process

    def wait(self, timeout_s: float) -> int | None:
        """Exit code, minus the signal's number for a killed script; None when it still runs after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask the whole process group to end."""
        self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """End the group and every descendant at once."""
        self._signal_group(signal.SIGKILL)
        for process in psutil.Process().children(recursive=True):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def sweep(self) -> int:
        """End what the script left behind, those with sessions of their own included."""
        return end_descendants(psutil.Process())

    def _signal_group(self, number: signal.Signals) -> None:
        # The group outlives its leader as long as one member lives; an empty one is no error.
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


class LocalLauncher:
    """One process tree per launcher: use it from the main thread of a process that does nothing else (the agent)."""

    isolation = "process"
    script_type = LocalScript

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """What `start` would execute. Raises ValueError when the arguments can not be split."""
        return LaunchPlan(
            argv=script_argv(request),
            env=script_environment(request, os.environ),
            cwd=request.folder.code_dir,
            stdout=request.folder.stdout_file,
            stderr=request.folder.stderr_file,
        )

    def start(self, plan: LaunchPlan) -> LocalScript:
        """Start the script; it dies with this thread. Raises OSError when the program can not be executed."""
        adopt_orphans()
        with plan.stdout.open("ab") as stdout, plan.stderr.open("ab") as stderr:
            process = subprocess.Popen(
                plan.argv,
                env=plan.env,
                cwd=plan.cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )
        return self.script_type(process)


def stop_script(script: LocalScript, grace_s: float) -> int:
    """SIGTERM to the group, `grace_s` seconds, SIGKILL to all; the answer is the exit code."""
    script.terminate()
    deadline = time.monotonic() + grace_s
    while (exit_code := script.wait(0.05)) is None:
        if time.monotonic() > deadline:
            script.kill()
    return exit_code
