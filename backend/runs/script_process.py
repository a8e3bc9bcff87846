"""A script under its shim, as an agent sees it: the one that started it, or one that came later."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from backend.runs.launchers.base import LaunchPlan, without_offset
from backend.runs.process_tree import adopt_orphans, end_marked
from backend.runs.supervision_folder import (
    ScriptRecord,
    SupervisionFolder,
    is_locked,
    try_lock,
    write_record,
)

POLL_S = 0.02


@dataclass(frozen=True)
class ScriptPlace:
    """Where a script belongs: its supervision, its run folder, and how much of its output is kept per stream."""

    supervised: SupervisionFolder
    run_dir: Path
    log_limit_bytes: int
    is_guarded: bool = False
    """whether the script ends when neither its worker nor its agent lives"""

    @property
    def guards(self) -> tuple[Path, ...]:
        """Locks of which one is held as long as the script may go on; none where it may always."""
        return (self.supervised.worker_lock, self.supervised.agent_lock) if self.is_guarded else ()


class SpareShim:
    """A shim that waits for its job: up before there is a script to be started; it ends with us if none comes."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.runs.shim"], stdin=theirs.fileno(), start_new_session=True
            )

    def give(self, job: dict[str, Any], descriptor: int) -> "subprocess.Popen[bytes]":
        """Hand over the job and the locked record file."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError), self._socket:
            line = json.dumps(job).encode() + b"\n"
            sent = socket.send_fds(self._socket, [line], [descriptor])
            self._socket.sendall(line[sent:])
        return self._process

    def dismiss(self) -> None:
        """There will be no job."""
        self._socket.close()
        self._process.wait()


class ScriptLostError(Exception):
    """The shim ended without saying how the script ended; everything that carried the run's mark was ended too."""


class ScriptProcess:
    """Every method may be called again after a crash of the caller by a new process: nothing depends on parenthood."""

    def __init__(self, place: ScriptPlace, shim: "subprocess.Popen[bytes] | None") -> None:
        self._supervised = place.supervised
        self._run_dir = place.run_dir
        self._shim = shim

    @classmethod
    def start(cls, place: ScriptPlace, plan: LaunchPlan, isolation: str, spare: SpareShim) -> "ScriptProcess":
        """Let a shim start the script. Raises OSError when the program can not be executed or the disk is full."""
        adopt_orphans()
        descriptor = try_lock(place.supervised.script_file)
        if descriptor is None:
            raise OSError(f"the script of {place.supervised.run_id} is running already")
        job = {
            "argv": plan.argv,
            "env": dict(plan.env),
            "cwd": str(plan.cwd),
            "stdout": str(plan.stdout),
            "stderr": str(plan.stderr),
            "isolation": isolation,
            "log_limit_bytes": place.log_limit_bytes,
            "guards": [str(path) for path in place.guards],
        }
        try:
            write_record(descriptor, ScriptRecord())
            shim = spare.give(job, descriptor)
        finally:
            os.close(descriptor)
        script = cls(place, shim)
        record = script._until_started()
        if record is None:
            raise OSError("the shim ended before it started the script")
        if record.state == "failed":
            raise OSError(record.error)
        return script

    @classmethod
    def adopt(cls, place: ScriptPlace) -> "ScriptProcess | None":
        """The script that an earlier agent started, running or not; None when it never started one."""
        script = cls(place, None)
        record = script._until_started()
        return script if record is not None and record.state != "failed" else None

    @property
    def record(self) -> ScriptRecord:
        """What the shim wrote last."""
        return self._supervised.script_record() or ScriptRecord()

    @property
    def pid(self) -> int:
        """The script's process id."""
        return self.record.script_pid

    def wait(self, timeout_s: float) -> int | None:
        """Exit code, minus the signal's number for a killed script; None when it still runs after `timeout_s`.

        With the answer everything that the script started is gone. Raises ScriptLostError.
        """
        deadline = time.monotonic() + timeout_s
        while self._is_alive():
            if (remaining := deadline - time.monotonic()) <= 0:
                return None
            self._sleep_until_shim_ends(remaining)
        if self._shim is not None:
            self._shim.wait()
        record = self.record
        if record.state != "ended":
            raise ScriptLostError(f"{end_marked(self._run_dir)} processes ended")
        if record.left_behind:  # Its shim ended them; a second look, for those that fork faster than one can look.
            end_marked(self._run_dir)
        # bubblewrap says 128 + number for a signal; a script that exits with such a code by itself looks the same.
        return without_offset(record.exit_code) if record.isolation == "bubblewrap" else record.exit_code

    def terminate(self) -> None:
        """Ask the whole process group to end."""
        self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """End the group and every descendant of the shim at once."""
        self._signal_group(signal.SIGKILL)
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def processes(self) -> list[psutil.Process]:
        """The script and everything that it started and that still lives."""
        if not self._is_alive():
            return []
        try:
            return psutil.Process(self.record.shim_pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _is_alive(self) -> bool:
        return is_locked(self._supervised.script_file)

    def _sleep_until_shim_ends(self, timeout_s: float) -> None:
        """Without waking up in between: fifty agents that look fifty times a second cost a third of a core."""
        try:
            descriptor = os.pidfd_open(self.record.shim_pid)
        except OSError:  # It ended, or has not written its number yet.
            time.sleep(min(POLL_S, timeout_s))
            return
        try:
            select.select([descriptor], [], [], timeout_s)
        finally:
            os.close(descriptor)

    def _signal_group(self, number: signal.Signals) -> None:
        record = self.record
        if record.state != "running" or not self._is_alive():
            return
        # The group outlives its leader as long as one member lives; an empty one is no error.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(record.script_pid, number)

    def _until_started(self) -> ScriptRecord | None:
        while True:
            is_alive = self._is_alive()  # Asked before the look: what ends in between has written its record.
            record = self._supervised.script_record()
            if record is None or record.state != "starting":
                return record
            if not is_alive:
                return None
            time.sleep(0.002)
