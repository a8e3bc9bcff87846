"""Leftovers of killed processes."""

import os
import time
from pathlib import Path

from backend.services.scratch_folder import remove_stale


def test_only_what_is_a_day_old_goes(tmp_path: Path) -> None:
    scratch, outside = tmp_path / "scratch", tmp_path / "outside"
    (scratch / "demo-old" / "train").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_text("x")
    for name in ("incoming-old", "incoming-new", "demo-old/train/a.jpg"):
        (scratch / name).write_text("x")
    (scratch / "link").symlink_to(outside)
    two_days_ago = time.time() - 2 * 24 * 3600
    for name in ("incoming-old", "demo-old", "link"):
        os.utime(scratch / name, (two_days_ago, two_days_ago), follow_symlinks=False)
    remove_stale(scratch)
    assert [entry.name for entry in scratch.iterdir()] == ["incoming-new"]
    assert (outside / "kept").exists()
