"""What the language does at run time."""

from pathlib import Path

import pytest

import atp
from atp.diagnostics import InvalidFileError
from atp.runtime.failures import place_of_failure


def run(text: str, tmp_path: Path, *args: object, **params: object) -> object:
    return atp.load(tmp_path / "t.yaml", text="atp: 1\n" + text, params=params).build(seed=0).run(None, *args)


def test_loop_index_first_every_and_break(tmp_path: Path) -> None:
    text = """
seen: {"#list": }
main:
  iterator: {"#range": 20, output: i}
  process:
    - {if: every(3), "@seen.append": $loop.index}
    - {if: $loop.first, "@seen.append": 100}
    - {if: "every(4, $i)", "@seen.append": -1}
    - break: $i == 6
  output: i
"""
    built = atp.load(tmp_path / "t.yaml", text="atp: 1\n" + text).build()
    assert built.run() == 6
    assert built["seen"] == [100, 2, -1, 5]


def test_outputs_whole_unpacked_picked_and_dropped(tmp_path: Path) -> None:
    text = """
main:
  input: {pair: null, table: null, extra: 5}
  process:
    - {"#list": [$pair], output: [a, _]}
    - {"#dict": $table, output: {b: k, c: 7}}
  output: [a, b, c, extra]
"""
    assert run(text, tmp_path, (1, 2), {"k": 3, 7: 4}) == (1, 3, 4, 5)
    with pytest.raises(ValueError, match="unpack"):
        run(text, tmp_path, (1, 2, 3), {"k": 3, 7: 4})


def test_artefacts_of_another_stage_are_read_by_its_name(tmp_path: Path) -> None:
    text = """
one: {input: [x], process: [set: {y: $x + 1}]}
main:
  process:
    - {"@one": 4}
    - set: {z: $one.y * 10}
  output: z
"""
    assert run(text, tmp_path) == 50
    with pytest.raises(LookupError, match=r"\$one.y has no value yet"):
        run(text.replace('    - {"@one": 4}\n', ""), tmp_path)


def test_conditions_else_and_expressions(tmp_path: Path) -> None:
    text = """
params: {group: {mode: fast}, n: 3}
main:
  input: [x]
  process:
    - if: "@params.group.mode == 'fast' and $x in (1)"
      set: {y: 1}
      else: [set: {y: "max($x, @params.n) if not $x < 0 else abs($x) // 2"}]
  output: y
"""
    text = text.replace(" and $x in (1)", " and $x == 1")
    assert [run(text, tmp_path, value) for value in (1, 2, 9, -7)] == [1, 3, 9, 3]
    assert run(text, tmp_path, 1, **{"group.mode": "slow"}) == 3


def test_doubled_symbols_are_literals_and_calls_nest(tmp_path: Path) -> None:
    text = """
words: {"#list": [["##ff0000", "@@x", $$5, "??", {"#len": [[1, 2]]}]]}
main: {process: [set: {n: "@words.__len__"}], output: n}
"""
    text = text.replace('set: {n: "@words.__len__"}', '{"#list": "@words", output: n}')
    assert run(text, tmp_path) == ["#ff0000", "@x", "$5", "?", 2]


def test_component_of_another_file_by_name(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(
        'atp: 1\nnumbers: {"#list": [[1, 2]]}\nadd: {input: [a], process: [set: {b: $a + 1}], output: b}\n'
    )
    text = """
numbers: "#part.yaml:numbers"
part: {"#part.yaml": }
main: {process: [{"@part.add": 1, output: b}, {"@numbers.append": $b}, {"#part.yaml:add": 7, output: c}], output: c}
"""
    built = atp.load(tmp_path / "t.yaml", text="atp: 1\n" + text).build()
    assert built.run() == 8
    assert built["numbers"] == [1, 2, 2]


def test_error_at_run_time_points_at_the_step(tmp_path: Path) -> None:
    text = """atp: 1
main:
  process:
    - set: {y: 0}
    - {"#list": "я", output: q}   # ю
    - {set: {w: 1}}
    - {"#int": $q, output: z}
  output: [z, y, w]
"""
    pipeline = atp.load("boom.yaml", text=text)
    built = pipeline.build()
    with pytest.raises(TypeError) as caught:
        built.run()
    place = place_of_failure(caught.value, pipeline.sources)
    assert place is not None and (place.file, place.line, place.column, place.end_column) == ("boom.yaml", 6, 7, 13)


def test_invalid_file_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="E201"):
        run('main: {process: ["@nothing"]}', tmp_path)


def test_failing_component_is_reported_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match=r"t.yaml:2:5: E210: creating '#int' failed: ValueError"):
        run('x: {"#int": zzz}', tmp_path)


def test_epoch_is_repeated_unless_marked_done() -> None:
    from atp.runtime.epochs import Epochs

    epochs = Epochs(3)
    for epoch in epochs:
        if epoch == 1:
            break
    assert epochs.state_dict() == {"done": 1}
    assert list(epochs) == [1, 2]
    marked = Epochs(3)
    for epoch in marked:
        marked.mark_done()
        assert marked.state_dict() == {"done": epoch + 1}
    assert marked.state_dict() == {"done": 3}
