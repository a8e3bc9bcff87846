"""What the ways of starting a script have in common: a request, a plan, the script's environment."""

import os
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.contracts.pipelines import PIPELINE_SUFFIXES
from backend.runs.run_folder import RunFolder

# What a script may inherit. Everything else stays out, the workstation's own secrets first of all.
ALLOWED_VARIABLES = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES"),
        *("NVIDIA_DRIVER_CAPABILITIES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        *("NUMEXPR_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
ALLOWED_PREFIXES = ("LC_", "CUDA_", "NCCL_", "CUDNN_")

SIGNALLED = 128
# `--standalone`: a rendezvous of its own on a free port. `--tee 3`: both streams of every rank come to ours, each line
# with its rank in front.
TORCHRUN = (
    *("-m", "torch.distributed.run", "--standalone", "--tee", "3"),
    *("--log-line-prefix-template", "[rank ${rank}] "),
)

ATP_RUN = ("-m", "atp.cli", "--root", ".", "run")


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
    threads: int | None = None
    """how many CPU threads numerical libraries may start; None: their own choice"""
    processes: int = 1
    """more than one: as many copies of the script, started by torchrun"""
    sdk_dir: str = ""
    """where PlatformAPI is, when the Python environment does not have it installed"""


@dataclass(frozen=True)
class LaunchPlan:
    """Exactly what would be executed; making one starts nothing."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    stdout: Path
    stderr: Path


def script_environment(request: LaunchRequest, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a script: an allow-list, the run folder, one device, a home of its own."""
    allowed = {
        name: value
        for name, value in inherited.items()
        if name in ALLOWED_VARIABLES or name.startswith(ALLOWED_PREFIXES)
    }
    if request.threads is not None:
        allowed |= dict.fromkeys(THREAD_VARIABLES, str(request.threads))
    if request.sdk_dir:
        allowed["PYTHONPATH"] = request.sdk_dir
    return allowed | {
        "ARM_RUN_DIR": str(request.folder.root),
        "ARM_API_SOCKET": str(request.folder.api_socket),
        "HOME": str(request.folder.home_dir),
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": request.device.removeprefix("cuda:") if request.device != "cpu" else "",
    }


def script_argv(request: LaunchRequest) -> tuple[str, ...]:
    """`python <entry file> <arguments>`, the arguments split as a shell would. Raises ValueError on an open quote.

    A pipeline is no script: `python -m atp.cli --root . run <entry file> <arguments>`.
    """
    entry = os.path.relpath(request.folder.code_file(request.entry_file), request.folder.code_dir)
    torchrun = () if request.processes == 1 else (*TORCHRUN, "--nproc-per-node", str(request.processes))
    started = (*ATP_RUN, entry) if entry.endswith(PIPELINE_SUFFIXES) else (entry,)
    return (request.python, *torchrun, *started, *shlex.split(request.arguments))


def without_offset(exit_code: int) -> int:
    """Minus the signal's number where a shell or bubblewrap says 128 + number; other codes as they are."""
    number = exit_code - SIGNALLED
    return -number if number in signal.valid_signals() else exit_code
