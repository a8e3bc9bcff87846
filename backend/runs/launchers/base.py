"""The port between an agent and the way in which a script is started."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.runs.run_folder import RunFolder

# What a script may inherit. Everything else stays out, the workstation's own secrets first of all.
ALLOWED_VARIABLES = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES"),
        *("NVIDIA_DRIVER_CAPABILITIES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("NUMEXPR_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)
ALLOWED_PREFIXES = ("LC_", "CUDA_", "NCCL_", "CUDNN_")


@dataclass(frozen=True)
class LaunchRequest:
    """What is to be started: a file of the run's code, its arguments as one string, and the device it may see.

    `network` opens the machine's network, its loopback services included; it matters only to isolating launchers.
    """

    folder: RunFolder
    python: str
    entry_file: str
    arguments: str
    device: str
    network: bool = False


@dataclass(frozen=True)
class LaunchPlan:
    """Exactly what would be executed; making one starts nothing."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    stdout: Path
    stderr: Path


class ScriptHandle(Protocol):
    """A started script with everything that it started itself."""

    pid: int

    def wait(self, timeout_s: float) -> int | None:
        """Exit code, minus the signal's number for a killed script; None when it still runs after `timeout_s`."""
        ...

    def terminate(self) -> None:
        """Ask the whole process group to end (SIGTERM)."""
        ...

    def kill(self) -> None:
        """End the script and every descendant at once (SIGKILL)."""
        ...

    def sweep(self) -> int:
        """End what the script left behind after it ended; the answer is how many processes that were."""
        ...


class Launcher(Protocol):
    """Starts scripts. `isolation` names what separates them from the workstation."""

    isolation: str

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """What `start` would execute. Raises ValueError when the arguments can not be split."""
        ...

    def start(self, plan: LaunchPlan) -> ScriptHandle:
        """Start it. Raises OSError when the program can not be executed."""
        ...


def script_environment(request: LaunchRequest, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a script: an allow-list, the run folder, one device, a home of its own."""
    allowed = {
        name: value
        for name, value in inherited.items()
        if name in ALLOWED_VARIABLES or name.startswith(ALLOWED_PREFIXES)
    }
    return allowed | {
        "ARM_RUN_DIR": str(request.folder.root),
        "HOME": str(request.folder.home_dir),
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": request.device.removeprefix("cuda:") if request.device != "cpu" else "",
    }


def script_argv(request: LaunchRequest) -> tuple[str, ...]:
    """`python <entry file> <arguments>`, the arguments split as a shell would. Raises ValueError on an open quote."""
    entry = os.path.relpath(request.folder.code_file(request.entry_file), request.folder.code_dir)
    return (request.python, entry, *shlex.split(request.arguments))
