"""The script under test: reports at a known rate and notes in a ledger of its own every SDK call that returned."""

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

import PlatformAPI as platform  # noqa: N813 - as its manual writes it

ARTIFACT_BYTES = 300_000


def artifact_content(number: int) -> bytes:
    return (f"artefact {number} " * (ARTIFACT_BYTES // 12)).encode()


def main(seconds: float, points_per_s: float) -> None:
    folder = Path(os.environ["ARM_RUN_DIR"])
    ledger = os.open(folder / "home" / "ledger.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    waiting = b""
    graph, log = platform.get_train_graph_logger(), platform.get_logger()
    started = time.monotonic()
    number = 0
    while time.monotonic() - started < seconds:
        returned = []
        graph.log_point("loss", float(number), 0, number)
        returned.append(f"p {number}")
        if number % 5 == 0:
            log.info(f"message {number // 5}")
            returned.append(f"m {number // 5}")
        if number % 50 == 0:
            try:
                path = platform.get_artifacts_dir() / f"a{number // 50}.bin"
                path.write_bytes(artifact_content(number // 50))
                platform.save_artifact(path)
                returned.append(f"a {number // 50}")
            except OSError:
                pass  # A full disk: the call did not return.
            print("x" * 200, flush=True)
        waiting += "".join(f"{line}\n" for line in returned).encode()
        with contextlib.suppress(OSError):
            waiting = waiting[os.write(ledger, waiting) :]
        number += 1
        time.sleep(max(0.0, started + number / points_per_s - time.monotonic()))
    # Lines that a full disk keeps in memory end with the process, as the manual says: wait for room, then flush them.
    while shutil.disk_usage(folder).free < 1 << 20:
        time.sleep(0.05)
    platform.save_progress_for_platform(100)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
