"""Finds the compute devices of this machine without importing torch."""

import re
import shutil
import subprocess

from backend.contracts.workers import Device

_GPU_LINE = re.compile(r"GPU (\d+): (.+?)(?: \(UUID: .*\))?")


def find_devices(worker: str, cpu_slots: int = 1) -> tuple[Device, ...]:
    """`cpu` with `cpu_slots` slots, and one `cuda:<n>` with one slot per card that the driver lists."""
    cpu = Device(name="cpu", title="CPU", worker=worker, slots=cpu_slots)
    return (cpu, *(Device(name=name, title=title, worker=worker) for name, title in _cards()))


def _cards() -> list[tuple[str, str]]:
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return []
    return cards_from_listing(listing)


def cards_from_listing(listing: str) -> list[tuple[str, str]]:
    """(`cuda:<n>`, title) from the output of `nvidia-smi -L`."""
    found = (_GPU_LINE.fullmatch(line.strip()) for line in listing.splitlines())
    return [(f"cuda:{match[1]}", match[2]) for match in found if match]
