"""The top level of the repository is fixed; README says what every folder is for."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = {
    *("app", "pages", "backend", "solutions", "assets", "tests"),
    *("PlatformAPI", "atp", "plat", "benchmarks", "docs"),
    *(".ci", ".streamlit"),
}


def tracked_top_level() -> set[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line.split("/")[0] for line in listing.splitlines() if "/" in line}


def test_no_folder_is_added_to_the_top_level() -> None:
    assert tracked_top_level() <= FOLDERS


def test_readme_has_a_line_for_every_folder() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(FOLDERS) if not name.startswith(".") and f"{name}/" not in readme] == []
