"""Following event files: whole lines once, nothing that is no event file."""

import os
from pathlib import Path

from backend.domain.event_lines import MAX_LINE_BYTES
from backend.runs.event_tail import BATCH_BYTES, SCAN_BYTES, EventTail


def read_all(tail: EventTail) -> list[tuple[str, int, bytes]]:
    batches = list(tail.batches())
    for batch in batches:
        tail.move_to(batch.file, batch.end)
    return [(batch.file, batch.offset, batch.content) for batch in batches]


def test_lines_come_once_and_torn_ones_when_they_are_whole(tmp_path: Path) -> None:
    tail, file = EventTail(tmp_path), tmp_path / "7-0.jsonl"
    file.write_bytes(b"one\ntw")
    assert read_all(tail) == [("7-0.jsonl", 0, b"one\n")]
    assert read_all(tail) == []
    file.write_bytes(b"one\ntwo\n")
    assert read_all(tail) == [("7-0.jsonl", 4, b"two\n")]


def test_what_was_not_accepted_comes_again_and_more(tmp_path: Path) -> None:
    tail, file = EventTail(tmp_path), tmp_path / "7-0.jsonl"
    file.write_bytes(b"one\n")
    assert [batch.content for batch in tail.batches()] == [b"one\n"]
    file.write_bytes(b"one\ntwo\n")
    assert [batch.content for batch in tail.batches()] == [b"one\ntwo\n"]


def test_much_comes_in_batches_of_whole_lines(tmp_path: Path) -> None:
    content = b"".join(b"%07d\n" % i for i in range(300_000)) + b"x" * (3 * BATCH_BYTES) + b"\nend\n"
    (tmp_path / "7-0.jsonl").write_bytes(content)
    tail, seen = EventTail(tmp_path), b""
    while batches := read_all(tail):
        seen += batches[0][2]
        assert seen.endswith(b"\n")
    assert seen == content


def test_a_line_too_long_to_send_is_skipped_once_it_is_whole(tmp_path: Path) -> None:
    tail, file = EventTail(tmp_path), tmp_path / "7-0.jsonl"
    file.write_bytes(b"one\n" + b"x" * (MAX_LINE_BYTES + SCAN_BYTES))
    assert read_all(tail) == [("7-0.jsonl", 0, b"one\n")]
    assert read_all(tail) == read_all(tail) == []
    with file.open("ab") as more:
        more.write(b"x" * 1000 + b"\ntwo\n")
    (batch,) = tail.batches()
    assert (batch.offset, batch.content) == (4, b"")
    assert batch.skipped_bytes == MAX_LINE_BYTES + SCAN_BYTES + 1001
    tail.move_to(batch.file, batch.end)
    assert read_all(tail) == [("7-0.jsonl", batch.end, b"two\n")]


def test_the_longest_line_that_may_be_sent_is_sent(tmp_path: Path) -> None:
    content = b"x" * (MAX_LINE_BYTES - 1) + b"\n"
    (tmp_path / "7-0.jsonl").write_bytes(content)
    assert read_all(EventTail(tmp_path)) == [("7-0.jsonl", 0, content)]


def test_a_folder_that_is_gone_is_empty(tmp_path: Path) -> None:
    assert read_all(EventTail(tmp_path / "gone")) == []


def test_links_pipes_and_other_names_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"root:x:0\n")
    (tmp_path / "1-0.jsonl").symlink_to(tmp_path / "secret")
    (tmp_path / "note.txt").write_bytes(b"no\n")
    os.mkfifo(tmp_path / "2-0.jsonl")
    (tmp_path / "3-0.jsonl").mkdir()
    assert read_all(EventTail(tmp_path)) == []
