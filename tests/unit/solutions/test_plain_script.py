"""The README's diff is the script: what it removes ran before, what it adds runs now."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "solutions" / "plain_script"


def sides_of_the_diff(readme: str) -> tuple[str, str]:
    """The file before and after, from the one ```diff block, which holds it whole."""
    (block,) = re.findall(r"```diff\n(.*?)```", (SCRIPT / readme).read_text(encoding="utf-8"), re.DOTALL)
    lines = block.splitlines(keepends=True)

    def side(sign: str) -> str:
        return "".join(line[1:] or "\n" for line in lines if line[0] in (" ", sign, "\n"))

    return side("-"), side("+")


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")}
    return subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        env=clean | {"OMP_NUM_THREADS": "1"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_the_diff_ends_in_the_shipped_script(readme: str) -> None:
    before, after = sides_of_the_diff(readme)
    assert after == (SCRIPT / "train.py").read_text(encoding="utf-8")
    assert "PlatformAPI" not in before


def test_the_script_ran_before(tmp_path: Path, weld_folder: Path) -> None:
    (tmp_path / "images").symlink_to(weld_folder / "train" / "images")
    (tmp_path / "train.py").write_text(sides_of_the_diff("README.md")[0], encoding="utf-8")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "redraw.pth").exists()


def test_the_script_runs_alone_and_its_loss_falls(tmp_path: Path, weld_folder: Path) -> None:
    (tmp_path / "train.py").write_text((SCRIPT / "train.py").read_text(encoding="utf-8"), encoding="utf-8")
    done = run(tmp_path, ARM_DATA_DIR=str(weld_folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "arm-run" / "artifacts" / "redraw.pth").exists()
    lines = [line for path in (tmp_path / "arm-run" / "events").iterdir() for line in path.read_text().splitlines()]
    losses = [event["v"] for event in map(json.loads, lines) if event["k"] == "point"]
    assert len(losses) == 100 and losses[-1] < losses[0] / 2
