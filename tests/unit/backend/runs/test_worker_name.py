"""A worker's name survives its process and is never shared."""

import subprocess
import sys
from pathlib import Path

from backend.runs.worker_name import held_worker_name

HOLD = "import sys, pathlib\nfrom backend.runs.worker_name import held_worker_name\n"
HOLD += "with held_worker_name(pathlib.Path(sys.argv[1]), 'lab') as name:\n print(name, flush=True)\n input()"


def test_two_workers_at_once_have_two_names_and_a_killed_one_leaves_its_own(tmp_path: Path) -> None:
    with held_worker_name(tmp_path, "lab") as first, held_worker_name(tmp_path, "lab") as second:
        assert (first, second) == ("lab", "lab-2")
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "lab\n"
        with held_worker_name(tmp_path, "lab") as name:
            assert name == "lab-2"
        process.kill()
    with held_worker_name(tmp_path, "lab") as name:
        assert name == "lab"


def test_a_machine_name_with_odd_signs_is_still_a_name(tmp_path: Path) -> None:
    with held_worker_name(tmp_path, "../Станция 7") as name:
        assert name == "..---------7" and "/" not in name
