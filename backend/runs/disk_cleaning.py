"""What may go from a worker's disk, and its removal: run folders by id, files of the cache by their last use.

Not here: whose run has ended. That is the backend's to say (disk_upkeep.py asks it).
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REMOVED_PREFIX = ".removed-"
IN_USE_S = 3600.0
"""A file of the cache that was used so recently may be about to be linked into a run."""


@dataclass(frozen=True)
class CachedFile:
    """A file of the cache. `is_linked`: it lies in a run folder too, so removing it would free nothing."""

    path: Path
    size_bytes: int
    used_at: float
    is_linked: bool


def run_ids(runs_dir: Path) -> list[str]:
    """Names of the run folders, the oldest first."""
    try:
        found = [entry for entry in os.scandir(runs_dir) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    ages: dict[str, float] = {}
    for entry in found:
        if not entry.name.startswith("."):
            try:
                ages[entry.name] = entry.stat(follow_symlinks=False).st_mtime
            except FileNotFoundError:  # Another worker with the same disk was faster.
                continue
    return sorted(ages, key=lambda name: (ages[name], name))


def remove_run_folder(runs_dir: Path, run_id: str) -> None:
    """Remove a run folder; it disappears under its name at once, so half of one is never seen as a run."""
    removed = runs_dir / f"{REMOVED_PREFIX}{run_id}"
    if removed.exists():
        _remove_tree(removed)
    try:
        (runs_dir / run_id).rename(removed)
    except FileNotFoundError:
        return
    _remove_tree(removed)


def remove_leftovers(runs_dir: Path) -> None:
    """Go on with removals that were cut short."""
    for leftover in runs_dir.glob(f"{REMOVED_PREFIX}*"):
        _remove_tree(leftover)


def cached_files(cache_dir: Path) -> list[CachedFile]:
    """Every file of the cache, also what an interrupted download left."""
    files = []
    for entry in _files(cache_dir):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        files.append(CachedFile(Path(entry.path), status.st_size, status.st_mtime, status.st_nlink > 1))
    return files


def shrink_cache(cache_dir: Path, limit_bytes: int, now: Callable[[], float] = time.time) -> int:
    """Remove what was not used for longest until the cache holds at most `limit_bytes`; the bytes it holds then.

    Files that a run folder holds too, or that were used within the last hour, stay, even if the limit is passed.
    """
    files = cached_files(cache_dir)
    total = sum(file.size_bytes for file in files)
    for file in sorted(files, key=lambda file: file.used_at):
        if total <= limit_bytes:
            break
        if not file.is_linked and _is_idle(file.path, now()):
            file.path.unlink(missing_ok=True)
            total -= file.size_bytes
    return total


def own_bytes(runs_dir: Path) -> int:
    """Bytes that run folders hold beside what is linked into them from the cache."""
    total = 0
    for entry in _files(runs_dir):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if status.st_nlink == 1:
            total += status.st_blocks * 512
    return total


def _is_idle(path: Path, now: float) -> bool:
    """Looked at again right before the removal: an agent may have linked or used it since."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return status.st_nlink == 1 and now - status.st_mtime > IN_USE_S


def _files(folder: Path) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield entry
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return  # Removed meanwhile, or a folder that the script locked: what it holds is not counted.


def _remove_tree(folder: Path) -> None:
    """Also folders that a script made unwritable. Links are removed, never followed."""

    def unlock_and_retry(call: Callable[[str], Any], path: str, _: Any) -> None:
        try:
            for locked in (Path(path).parent, Path(path)):
                if locked.is_relative_to(folder) and stat.S_ISDIR(locked.lstat().st_mode):
                    locked.chmod(0o700)
            if call in (os.unlink, os.rmdir):
                call(path)
            else:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            pass

    shutil.rmtree(folder, onerror=unlock_and_retry)
