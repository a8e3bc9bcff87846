"""What goes from a worker's disk and what stays."""

import os
import time
from pathlib import Path

from backend.runs import disk_cleaning


def cached(cache: Path, name: str, size: int, age_s: float) -> Path:
    path = cache / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    path.chmod(0o444)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_cache_loses_what_was_not_used_for_longest(tmp_path: Path) -> None:
    oldest, older, newer = (cached(tmp_path, f"a{age}", 100, age) for age in (90_000, 80_000, 70_000))
    assert disk_cleaning.shrink_cache(tmp_path, 250) == 200
    assert [path.exists() for path in (oldest, older, newer)] == [False, True, True]
    assert disk_cleaning.shrink_cache(tmp_path, 250) == 200


def test_cache_keeps_what_a_run_folder_holds_or_an_agent_just_asked_for(tmp_path: Path) -> None:
    linked, recent, idle = (cached(tmp_path / "c", name, 100, age) for name, age in (("l", 9e4), ("r", 60), ("i", 8e3)))
    (tmp_path / "run").mkdir()
    os.link(linked, tmp_path / "run" / "image")
    assert disk_cleaning.shrink_cache(tmp_path / "c", 0) == 200
    assert [path.exists() for path in (linked, recent, idle)] == [True, True, False]
    (tmp_path / "run" / "image").unlink()
    assert disk_cleaning.shrink_cache(tmp_path / "c", 0) == 100
    assert not linked.exists()


def test_only_bytes_of_its_own_count_for_a_run_folder(tmp_path: Path) -> None:
    big = cached(tmp_path / "cache", "big", 1 << 20, 0)
    folder = tmp_path / "runs" / "r1"
    folder.mkdir(parents=True)
    os.link(big, folder / "image")
    (folder / "own").write_bytes(os.urandom(8192))
    assert 8192 <= disk_cleaning.own_bytes(tmp_path / "runs") < 100_000
    assert disk_cleaning.own_bytes(tmp_path / "nothing") == 0


def test_run_folder_goes_with_locked_folders_and_never_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("stays")
    runs = tmp_path / "runs"
    locked = runs / "r1" / "code" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    (runs / "r1" / "link").symlink_to(outside)
    locked.chmod(0o000)
    disk_cleaning.remove_run_folder(runs, "r1")
    assert list(runs.iterdir()) == []
    assert (outside / "precious").read_text() == "stays"
    disk_cleaning.remove_run_folder(runs, "r1")  # Another worker was faster.


def test_folders_are_listed_oldest_first_and_a_cut_removal_goes_on(tmp_path: Path) -> None:
    for name, age_s in (("new", 10), ("old", 1000)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    (tmp_path / ".removed-gone").mkdir()
    (tmp_path / ".removed-gone" / "half").write_text("x")
    (tmp_path / "file").write_text("no folder")
    assert disk_cleaning.run_ids(tmp_path) == ["old", "new"]
    disk_cleaning.remove_leftovers(tmp_path)
    assert not (tmp_path / ".removed-gone").exists()
    assert disk_cleaning.run_ids(tmp_path / "missing") == []
