"""Who is alive is told by locks, what a script did by one record."""

import os
import subprocess
import sys
from pathlib import Path

from backend.runs.supervision_folder import (
    RECORD_BYTES,
    ScriptRecord,
    SupervisionFolder,
    boot_id,
    is_locked,
    read_note,
    read_record,
    try_lock,
    write_note,
    write_record,
)

HOLDER = """
import sys, time
from pathlib import Path
from backend.runs.supervision_folder import try_lock
assert try_lock(Path(sys.argv[1])) is not None
print("held", flush=True)
time.sleep(600)
"""


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "agent.lock"
    assert not is_locked(path)
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert is_locked(path) and try_lock(path) is None
        holder.kill()
    assert not is_locked(path)
    descriptor = try_lock(path)
    assert descriptor is not None
    os.close(descriptor)


def test_a_lock_is_inherited_only_by_those_who_get_it(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    descriptor = try_lock(path)
    assert descriptor is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,)) as heir:
        os.close(descriptor)
        assert is_locked(path)
        heir.communicate(b"\n")
    assert not is_locked(path)


def test_a_folder_that_is_gone_can_not_be_locked(tmp_path: Path) -> None:
    folder = SupervisionFolder(tmp_path, "run")
    assert try_lock(folder.worker_lock) is None and not folder.root.exists()
    folder.create()
    descriptor = try_lock(folder.worker_lock)
    assert descriptor is not None
    write_note(descriptor, {"device": "cuda:0"})
    assert read_note(folder.worker_lock) == {"device": "cuda:0"}
    folder.remove()
    os.close(descriptor)
    assert read_note(folder.worker_lock) == {} and folder.script_record() is None


def test_a_record_keeps_its_size_so_that_a_full_disk_can_not_prevent_it(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    for record in (ScriptRecord(), ScriptRecord("ended", exit_code=-9, error="x" * 50_000, boot_id=boot_id())):
        write_record(descriptor, record)
        assert path.stat().st_size == RECORD_BYTES
    os.close(descriptor)
    found = read_record(path)
    assert found is not None and (found.state, found.exit_code, len(found.error)) == ("ended", -9, 1000)


def test_a_broken_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('{"state": "runn')
    assert read_record(tmp_path / "script.json") is None
