"""The package of our own sources: its name follows from the content, and nothing else gets in."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from backend.runs.cluster.code_package import PACKAGES, code_package


def tree(root: Path) -> Path:
    for package in PACKAGES:
        (root / package / "__pycache__").mkdir(parents=True)
        (root / package / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"compiled")
        (root / package / "a.py").write_text(f"NAME = {package!r}\n")
    (root / "secrets.txt").write_text("of this machine")
    return root


def test_the_same_sources_give_the_same_package_and_others_another(tmp_path: Path) -> None:
    first, second = (code_package(tree(tmp_path / name)) for name in ("first", "second"))
    assert first == second
    third = tree(tmp_path / "third")
    os.utime(third / "backend" / "a.py", (0, 0))
    (third / "backend" / "a.py").chmod(0o600)
    assert code_package(third) == first
    (tree(tmp_path / "fourth") / "backend" / "a.py").write_text("NAME = 2\n")
    assert code_package(tmp_path / "fourth").name != first.name


def test_only_our_packages_are_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(code_package(tree(tmp_path / "root")).content)) as archive:
        assert archive.namelist() == [f"{package}/a.py" for package in sorted(PACKAGES)]


def test_the_real_package_is_small_and_an_agent_starts_from_it(tmp_path: Path) -> None:
    package = code_package()
    assert len(package.content) < 2 << 20
    with zipfile.ZipFile(io.BytesIO(package.content)) as archive:
        archive.extractall(tmp_path)
    code = "import backend.runs.cluster.node_entry as entry, PlatformAPI; print(entry.__file__, PlatformAPI.__file__)"
    tried = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert all(path.startswith(str(tmp_path)) for path in tried.stdout.split())
