"""Keeps the scratch folder small: what a killed process left there is removed when the backend starts."""

import contextlib
import shutil
import time
from pathlib import Path

STALE_AFTER_S = 24 * 3600


def remove_stale(scratch_dir: Path, now_s: float | None = None) -> None:
    """Delete files and folders that nobody has touched for a day; younger ones may belong to a running upload."""
    limit = (time.time() if now_s is None else now_s) - STALE_AFTER_S
    for entry in scratch_dir.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if entry.lstat().st_mtime > limit:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
