"""The name of a worker, which is the same after a restart: by it the backend knows what already runs here."""

import fcntl
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_worker_name(home: Path, wanted: str) -> Iterator[str]:
    """`wanted`, or `wanted-2`, `wanted-3`, … while other workers with this data folder hold the ones before.

    The name is held by a file lock, which the system releases however this process ends.
    """
    folder = home / "workers"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = re.sub(r"[^A-Za-z0-9._-]", "-", wanted)[:60] or "worker"
    for number in itertools.count(1):
        name = wanted if number == 1 else f"{wanted}-{number}"
        with (folder / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield name
            return
