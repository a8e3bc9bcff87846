"""The end of a growing log, as the agent sends it with its heartbeats."""

from pathlib import Path

from backend.runs.heart import LIVE_TAIL_BYTES, ChangingTail, tail_text


def test_a_tail_begins_with_a_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert tail_text(log, length_bytes=20) == "line 98\nline 99\n"
    assert tail_text(log, length_bytes=10_000).startswith("line 0\n")


def test_an_endless_line_is_shown_though_its_start_is_not(tmp_path: Path) -> None:
    log = tmp_path / "stderr.log"
    log.write_text("x" * 100)
    assert tail_text(log, length_bytes=20) == "x" * 20


def test_a_tail_is_told_once_for_each_change_and_again_when_it_did_not_arrive(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    tail = ChangingTail(log)
    assert tail.read() is None
    log.write_text("12345678\n" * 10_000)
    assert len(tail.read() or "") == LIVE_TAIL_BYTES // 9 * 9
    assert tail.read() is None
    tail.forget()
    assert tail.read()


def test_a_log_that_the_script_replaced_by_something_else_has_no_tail(tmp_path: Path) -> None:
    (tmp_path / "stdout.log").mkdir()
    assert tail_text(tmp_path / "stdout.log") == ""
