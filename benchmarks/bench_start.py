"""From POST /runs to the first line of user code, beside plain `python train.py` with the same imports.

The first line comes after the script's imports in both cases; each round does both, so a busy machine slows both.
"""

import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx

from benchmarks.own_workstation import api_with_worker

SCRIPTS = {
    "standard library only": ("import json, time\n", 12),
    "import torch": ("import json, time\nimport torch\n", 4),
}
# Prints when the line after the imports ran: in the workstation this text arrives as stdout.log.
FIRST_LINE = "print(repr(time.time()), flush=True)\n"


def main() -> None:
    """Print both medians and their difference and ratio for each script and each kind of isolation."""
    for isolation in ("bubblewrap", "process") if shutil.which("bwrap") else ("process",):
        print(isolation)
        report(isolation)


def report(isolation: str) -> None:
    """The lines of one kind of isolation."""
    with api_with_worker(isolation) as client:
        for name, (imports, rounds) in SCRIPTS.items():
            plain, started = measure(client, imports + FIRST_LINE, rounds)
            a, b = statistics.median(plain), statistics.median(started)
            print(
                f"{name:24} python train.py {a:6.3f} s   Start button {b:6.3f} s   "
                f"+{b - a:.3f} s, ratio {b / a:.2f}   (median of {rounds})"
            )


def measure(client: httpx.Client, script: str, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds to the first line: plain, and through the workstation. The first round of each warms the file cache."""
    project_id = upload(client, script)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(script)
        times = [(plain_start(Path(folder)), workstation_start(client, project_id)) for _ in range(rounds + 1)][1:]
    return [plain for plain, _ in times], [started for _, started in times]


def plain_start(folder: Path) -> float:
    """Seconds from starting Python to the first line."""
    before = time.time()
    printed = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    return float(printed) - before


def workstation_start(client: httpx.Client, project_id: str) -> float:
    """Seconds from sending POST /runs to the first line."""
    before = time.time()
    run = answer(client.post("/runs", json={"project_id": project_id, "kind": "train"}))
    while run["state"] not in ("finished", "failed", "stopped", "lost"):
        time.sleep(0.05)
        run = answer(client.get(f"/runs/{run['id']}"))
    assert run["state"] == "finished", run
    first_line = float(client.get(f"/runs/{run['id']}/logs/stdout").text)
    time.sleep(1)  # The worker gets its next agent ready, as it would while a person thinks.
    return first_line - before


def upload(client: httpx.Client, script: str) -> str:
    """A project that holds the script."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("train.py", script)
    project_id = str(answer(client.post("/projects", json={"name": "Start"}))["id"])
    answer(client.put(f"/projects/{project_id}/code", content=archive.getvalue()))
    return project_id


def answer(response: httpx.Response) -> Any:
    """The body of a good answer."""
    assert response.status_code < 300, response.text
    return response.json()


if __name__ == "__main__":
    main()
