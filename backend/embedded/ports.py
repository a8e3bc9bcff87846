"""Loopback ports, and waiting for a server of an earlier start that is still closing its files."""

import os
import signal
import socket
import time
from pathlib import Path

from backend.embedded.child_process import process_is_alive


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    """Whether `port` can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def next_free_port(host: str, port: int, tries: int = 50) -> int:
    """`port`, or the first free one after it. Raises OSError when none of `tries` is free."""
    for candidate in range(port, min(port + tries, 65536)):
        if is_free(host, candidate):
            return candidate
    raise OSError(f"no free port from {port} to {port + tries - 1} on {host}")


def wait_for_previous(pid_path: Path, name: str, patience_s: float = 20) -> None:
    """Return when the server whose pid stands in `pid_path` is gone; it is asked to stop if it does not go by itself.

    An earlier workstation that was killed leaves its servers closing down for a moment, their files locked.
    """
    try:
        pid = int(pid_path.read_text().strip() or 0)
    except (FileNotFoundError, ValueError):
        return
    start = time.monotonic()
    is_asked = False
    while pid and process_is_alive(pid, name) and time.monotonic() - start < patience_s:
        if not is_asked and time.monotonic() - start > 1:
            os.kill(pid, signal.SIGTERM)
            is_asked = True
        time.sleep(0.05)
