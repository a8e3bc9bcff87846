"""`arm doctor`: looks at this machine and says what the workstation will miss. Changes nothing."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from backend.domain.errors import ArmError
from backend.embedded.binaries import Binary, find_mongod, find_redis
from backend.embedded.ports import is_free
from backend.runs.launchers.bubblewrap import bubblewrap_fault
from backend.settings import Settings

Verdict = Literal["ok", "note", "missing"]
LEAST_DISK_GB = 5
LEAST_MEMORY_GB = 4


@dataclass(frozen=True)
class Finding:
    """One line of the report; `note` is worth knowing, `missing` keeps the workstation from working."""

    topic: str
    verdict: Verdict
    detail: str
    params: dict[str, Any] = field(default_factory=dict)


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which a newcomer would mend them."""
    return [
        _python(),
        _torch(),
        _server("mongo", settings.mongo_url, find_mongod),
        _server("redis", settings.redis_url, find_redis),
        _home(settings.home_dir),
        _memory(),
        _port(settings, "ui"),
        _port(settings, "api"),
        _gpu(),
        _bubblewrap(),
    ]


def _python() -> Finding:
    version = sys.version.split()[0]
    return Finding("python", "ok" if (3, 11) <= sys.version_info < (3, 13) else "missing", version)


def _torch() -> Finding:
    # In a process of its own: importing torch takes seconds and memory, and a mismatched torchvision kills the import.
    code = (
        "import torch, torchvision; torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5);"
        "print(torch.__version__, '+ torchvision', torchvision.__version__, 'CUDA' * torch.cuda.is_available())"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        return Finding("torch", "ok", answer.stdout.strip())
    return Finding("torch", "missing", answer.stderr.strip().splitlines()[-1])


def _server(topic: str, url: str | None, find_binary: Callable[[], Binary]) -> Finding:
    if url:
        return Finding(topic, "ok", f"ARM_{topic.upper()}_URL")
    try:
        binary = find_binary()
    except ArmError as error:
        return Finding(topic, "missing", str(error.params["tried"]))
    return Finding(topic, "ok", f"{binary.version} ({binary.origin})")


def _home(home: Path) -> Finding:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    try:
        probe = existing / ".arm-doctor"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return Finding("home", "missing", str(error), {"least": LEAST_DISK_GB})
    verdict: Verdict = "ok" if free_gb >= LEAST_DISK_GB else "note"
    return Finding("home", verdict, f"{home}, {free_gb:.0f} GB", {"least": LEAST_DISK_GB})


def _memory() -> Finding:
    total_gb = psutil.virtual_memory().total / 1e9
    return Finding(
        "memory", "ok" if total_gb >= LEAST_MEMORY_GB else "note", f"{total_gb:.0f} GB", {"least": LEAST_MEMORY_GB}
    )


def _port(settings: Settings, part: str) -> Finding:
    port = getattr(settings, f"{part}_port")
    return Finding(f"{part}_port", "ok" if is_free(settings.api_host, port) else "note", str(port), {"port": port})


def _gpu() -> Finding:
    if shutil.which("nvidia-smi") is None:
        return Finding("gpu", "note", "–")
    answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=False)
    return Finding("gpu", "ok" if answer.returncode == 0 else "note", answer.stdout.strip() or answer.stderr.strip())


def _bubblewrap() -> Finding:
    with tempfile.TemporaryDirectory(prefix="arm-doctor-") as folder:
        fault = bubblewrap_fault(Path(folder))
    if fault is not None:
        return Finding("bubblewrap", "note", fault)
    return Finding(
        "bubblewrap", "ok", subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout.strip()
    )
