"""Holds a process tree together on Linux: orphans come back, a dead parent takes its child along, nothing is left."""

import ctypes
import os
import signal
from collections.abc import Callable, Collection

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
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


def end_descendants(root: psutil.Process, spared: Collection[int] = (), grace_s: float = 1.0) -> int:
    """End every descendant of `root` but those of the children in `spared`: SIGTERM, a second, SIGKILL.

    Looks again until nothing is left, because a dying process may start another. Returns how many were ended.
    """
    ended: set[int] = set()
    for number, patience_s in ((signal.SIGTERM, grace_s), *[(signal.SIGKILL, 0.5)] * 10):
        found = _living_descendants(root, spared)
        if not found:
            break
        for process in found:
            ended.add(process.pid)
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=patience_s)
    return len(ended)


def _living_descendants(root: psutil.Process, spared: Collection[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for child in root.children():
        if child.pid in spared:
            continue
        for process in (child, *_children(child)):
            if _is_zombie(process):
                # psutil's wait collects a zombie that is our own child; of others there is nothing to end.
                _collect(process)
            else:
                found.append(process)
    return found


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _collect(process: psutil.Process) -> None:
    try:
        os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        return
