"""Captured output on disk: bounded, whole where it can be, never an error."""

from pathlib import Path

import pytest

from backend.runs.bounded_log import BoundedLog, close_hole

MB = 1 << 20


def write_lines(path: Path, limit_bytes: int, count: int) -> None:
    log = BoundedLog(path, limit_bytes)
    for number in range(count):
        log.write(f"{number:0>1023}\n".encode())
    log.close()


def test_what_fits_is_kept_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "stdout.log"
    write_lines(path, 4 * MB, 4096)
    before = path.read_bytes()
    assert close_hole(path) == 0 and path.read_bytes() == before
    assert [int(line) for line in before.splitlines()] == list(range(4096))


def test_over_the_limit_the_first_and_the_last_half_stay(tmp_path: Path) -> None:
    path = tmp_path / "stdout.log"
    write_lines(path, 2 * MB, 20_000)
    assert path.stat().st_blocks * 512 <= 4 * MB
    assert path.stat().st_size == 20_000 * 1024
    missing = close_hole(path)
    lines = path.read_bytes().split(b"\n")
    (note,) = [line for line in lines if line.startswith(b"[")]
    assert note == f"[{missing} bytes of output are left out here: the log is longer than ARM_LOG_MAX_MB]".encode()
    assert int(lines[0]) == 0 and int(lines[-2]) == 19_999
    kept = path.stat().st_size - len(note) - 2
    assert kept + missing == 20_000 * 1024 and 2 * MB <= kept <= 3 * MB
    assert b"\0" not in path.read_bytes()


def test_joining_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "stdout.log"
    write_lines(path, 2 * MB, 20_000)
    close_hole(path)
    before = path.read_bytes()
    assert close_hole(path) == 0 and path.read_bytes() == before


def test_a_full_disk_is_no_error() -> None:
    log = BoundedLog(Path("/dev/full"), MB)
    for _ in range(3):
        log.write(b"lost")
    log.close()


def test_what_a_full_disk_swallowed_is_noted_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stdout.log"
    log = BoundedLog(path, MB)
    log.write(b"before\n")
    with monkeypatch.context() as full:
        full.setattr(log, "_append", lambda chunk: 0)
        log.write(b"12345")
        log.write(b"678")
    log.write(b"after\n")
    log.close()
    assert path.read_text() == "before\n\n[8 bytes of output are missing here: the disk was full]\nafter\n"


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_there_may_be_nothing_to_join(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "stdout.log"
    if content is not None:
        path.write_bytes(content)
    assert close_hole(path) == 0
