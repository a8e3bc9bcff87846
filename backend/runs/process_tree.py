"""Holds a process tree together on Linux: orphans come back, a dead parent takes its child along, nothing is left."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
HOP_PATIENCE_S = 5.0
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """From now on descendants whose parent died become children of this process, not of init."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent_pid: int) -> Callable[[], None]:
    """For `preexec_fn`: the child is killed when the thread that started it ends, whatever ended that."""

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # The parent died before the line above.
            os._exit(126)

    return prepare


def end_descendants() -> int:
    """End every descendant of this process, which adopts orphans: SIGTERM, a second, SIGKILL.

    Looks again until nothing is left, because a dying process may start another. Returns how many were ended.
    """
    ended: set[int] = set()
    for number, patience_s in ((signal.SIGTERM, 1.0), *[(signal.SIGKILL, 0.5)] * 10):
        found = _living_descendants()
        if not found:
            break
        for process in found:
            ended.add(process.pid)
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=patience_s)
    return len(ended | _end_those_that_hop())


def end_marked(run_dir: Path, patience_s: float = 5) -> int:
    """Kill every process that carries ARM_RUN_DIR=<run_dir> in its environment, wherever in the tree it hangs now.

    The last resort for orphans whose ancestors are all gone. Returns how many were killed.
    """
    mark = f"ARM_RUN_DIR={run_dir}".encode()
    ended: set[int] = set()
    deadline = time.monotonic() + patience_s
    while (found := _marked(mark)) and time.monotonic() < deadline:
        for process in found:
            ended.add(process.pid)
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=0.2)
    return len(ended)


def _marked(mark: bytes) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            # The environment of a zombie is empty, of another user's process not readable.
            if mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
        except OSError:
            continue
    return found


def _end_those_that_hop() -> set[int]:
    """End what forks and exits faster than the process table can be read.

    Of such a chain one link is always our own child, because we adopt orphans, and our children are one short file.
    """
    ended: set[int] = set()
    empty_looks = 0
    deadline = time.monotonic() + HOP_PATIENCE_S
    while empty_looks < 5 and time.monotonic() < deadline:
        found = _own_children()
        empty_looks = 0 if found else empty_looks + 1
        for pid in found:
            ended.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                continue
        if not found:
            time.sleep(0.002)
    return ended


def collect_orphans(spared: Collection[int]) -> None:
    """Collect adopted processes that are dead; who adopts and never collects fills the machine's table of processes."""
    for pid in _own_children() - set(spared):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def _own_children() -> set[int]:
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(map(int, listing.read_text().split()))
        except OSError:  # That thread has ended.
            continue
    return found


def _living_descendants() -> list[psutil.Process]:
    if not _own_children():  # What is an orphan becomes our child: without children there are no descendants either.
        return []
    # One look at the whole table: a script that forks all the time leaves a thousand zombies, and a look for each of
    # them would take longer than it needs to fork again. Parents come before their children.
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                # Collected if it is our own child; of others there is nothing to end.
                _collect(process)
            else:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _collect(process: psutil.Process) -> None:
    try:
        os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return
