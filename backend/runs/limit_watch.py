"""Watches what a script uses: time and memory. RLIMIT_AS is no help, CUDA reserves more addresses than any limit."""

import contextlib
import time

import psutil

from backend.contracts.runs import RunLimits
from backend.runs.outcome import StopCause
from backend.runs.script_process import ScriptProcess

MEMORY_PERIOD_S = 0.5
MIB = 1 << 20


class LimitWatch:
    """Ask it often; it looks at memory twice a second."""

    def __init__(self, limits: RunLimits, script: ScriptProcess) -> None:
        self._limits = limits
        self._script = script
        self._started_at = script.record.started_at
        self._memory_at = 0.0

    def exceeded(self) -> tuple[StopCause, dict[str, object]] | None:
        """The limit that is passed, with what its text needs; None when all is well."""
        limits = self._limits
        if limits.time_s is not None:
            # The clock of the shim, which goes on while agents come and go.
            elapsed_s = time.clock_gettime(time.CLOCK_BOOTTIME) - self._started_at
            if elapsed_s > limits.time_s:
                whole_s = int(limits.time_s)  # people read "600 s", not "600.0 s"
                return "time_limit", {"limit_s": whole_s if whole_s == limits.time_s else limits.time_s}
        if limits.memory_mb is not None and time.monotonic() - self._memory_at >= MEMORY_PERIOD_S:
            self._memory_at = time.monotonic()
            used_mb = used_memory(self._script.processes(), limits.memory_mb * MIB) // MIB
            if used_mb > limits.memory_mb:
                return "memory_limit", {"limit_mb": limits.memory_mb, "used_mb": used_mb}
        return None


def used_memory(processes: list[psutil.Process], limit_bytes: int) -> int:
    """Bytes that processes occupy together. Pages that they share count once, but that is counted (slowly) only when
    the quick sum is over `limit_bytes`.
    """
    quick = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            quick += process.memory_info().rss
    if quick <= limit_bytes:
        return quick
    exact = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            exact += process.memory_full_info().pss
    return exact
