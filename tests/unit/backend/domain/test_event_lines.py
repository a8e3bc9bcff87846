"""Lines of event files: what is torn waits, what is broken is counted, what is sound arrives."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.event_lines import MAX_LINE_BYTES, MAX_TEXT_CHARS, read_events, whole_lines


def line(k: str, **fields: object) -> bytes:
    return json.dumps({"k": k, "t": 1.5, "s": 0, **fields}).encode() + b"\n"


def point(**fields: object) -> bytes:
    return line("point", **{"name": "loss", "v": 0.5, "e": 1, "i": 2, **fields})


def test_a_torn_last_line_is_left_for_later() -> None:
    assert whole_lines(b"one\ntwo\nthr", 100) == b"one\ntwo\n"
    assert whole_lines(b"thr", 100) == b"" == whole_lines(b"", 100)


def test_a_batch_ends_at_the_last_whole_line_within_the_limit() -> None:
    assert whole_lines(b"aaaa\nbbbb\ncccc\n", 12) == b"aaaa\nbbbb\n"
    assert whole_lines(b"a" * 50 + b"\nb\n", 12) == b"a" * 50 + b"\n"
    assert whole_lines(b"a" * 50, 12) == b""


@given(st.lists(st.binary(max_size=20).filter(lambda b: b"\n" not in b), max_size=20), st.integers(1, 60), st.data())
def test_from_one_offset_a_later_batch_is_never_shorter(rows: list[bytes], limit: int, data: st.DataObject) -> None:
    content = b"".join(row + b"\n" for row in rows)
    early = data.draw(st.integers(0, len(content)))
    first, later = whole_lines(content[:early], limit), whole_lines(content, limit)
    assert later.startswith(first) or len(first) > limit


def test_points_keep_order_infos_and_what_json_can_not_say() -> None:
    batch = read_events(
        point(info={"why": [1]}) + point(v=None, special="nan") + point(v=None, special="inf", info=None) + point(v=3)
    )
    points = batch.points["loss"]
    assert points.values[0] == 0.5 and math.isnan(points.values[1]) and points.values[2:] == [math.inf, 3.0]
    assert {position: json.loads(text) for position, text in points.infos.items()} == {0: {"why": [1]}}
    assert (points.epochs, points.iters, points.times) == ([1] * 4, [2] * 4, [1.5] * 4)
    assert batch.point_count == 4 and batch.malformed_count == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"not json\n",
        b"[1, 2]\n",
        b'{"k": "alien", "t": 1}\n',
        b'{"t": 1}\n',
        b'{"k": "message", "t": 1, "level": "loud", "text": ""}\n',
        b'{"k": "message", "t": 1, "level": "info", "text": "\\ud800"}\n',
        b'{"k": "point", "t": 1, "name": "a", "v": NaN, "e": 0, "i": 0}\n',
        b"\xff\xfe\n",
        point(name=""),
        point(name="n" * 501),
        point(e=2**64),
        point(i=1.5),
        point(v="high"),
        line("metric", name="m", kind="pie", data={}),
        line("metric", name="m", kind="table", data={"columns": ["a"], "rows": [[1, 2]]}),
        line("metric", name="m", kind="table", data={"columns": ["a"], "rows": [[1]], "index": ["x", "y"]}),
        line("metric", name="m", kind="matrix", data={"values": [[1]], "row_labels": [], "column_labels": ["a"]}),
        line("metric", name="m", kind="confusion", data={"labels": ["a", "b"], "values": [[1, 2]]}),
        line("metric", name="m", kind="histogram", data={"counts": [1, 2], "edges": [0, 1]}),
        line("result", image="", markup={}),
        line("result", image="a.jpg", markup={"annotation": [{"class": "x", "confidence": 7}]}),
        line("message", level="info", text="x" * MAX_LINE_BYTES),
        line("status", what="sdk_ready", t=1e300),
        line("message", level="info", text="before Christ", t=-1e12),
        b'{"k": "point", "t": 1, "name": "a", "v": 1, "e": 0, "i": 0, "info": ' + b"[" * 9000 + b"]" * 9000 + b"}\n",
        b'{"k": "metric", "t": 1, "name": "m", "kind": "table", "data": {"columns": ["a"], "rows": [['
        + b"[" * 400
        + b"]" * 400
        + b"]]}}\n",
        line("metric", name="m", kind="confusion", data={"labels": [{"a": 1}], "values": [[1]]}),
        line("metric", name="m", kind="table", data={"columns": ["a"], "rows": [[[1, 2]]]}),
    ],
)
def test_a_bad_line_is_counted_and_its_neighbours_are_unharmed(bad: bytes) -> None:
    batch = read_events(point() + bad + point())
    assert batch.malformed_count == 1 and batch.point_count == 2
    assert batch.first_malformed and batch.first_malformed.line == 2 and batch.first_malformed.detail
    assert not batch.messages and not batch.metrics and not batch.results


def test_the_last_of_its_name_wins_within_a_batch() -> None:
    rows = [line("metric", name="m", kind="histogram", data={"counts": [n], "edges": [0, 1]}) for n in (1, 2)]
    results = [line("result", image=f"data/test/{n}/a.jpg", markup={}, description=n) for n in ("x", "y")]
    batch = read_events(b"".join(rows + results + [line("progress", v=10), line("progress", v=250)]))
    assert batch.metrics["m"].metric.data["counts"] == [2]
    assert batch.results["a.jpg"].description == "y"
    assert batch.progress == (1.5, 100.0)


def test_a_novel_in_one_message_is_cut() -> None:
    batch = read_events(line("message", level="info", text="я" * 100_000))
    assert len(batch.messages["info"][0].text) == MAX_TEXT_CHARS


def test_the_first_sdk_call_of_any_process_is_kept() -> None:
    assert read_events(line("status", what="sdk_ready", t=9) + line("status", what="sdk_ready", t=4)).sdk_ready_at == 4
