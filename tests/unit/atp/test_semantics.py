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


def test_counted_loop_inside_another_one_runs_every_time(tmp_path: Path) -> None:
    text = """
seen: {"#list": }
outer: {"#atp.Epochs": {total: 2}}
inner: {"#atp.Epochs": {total: 2}}
main:
  iterator: {"@outer": , output: o}
  process:
    - iterator: {"@inner": , output: i}
      process: ["@seen.append": [[$o, $i]]]
"""
    built = atp.load(tmp_path / "t.yaml", text="atp: 1\n" + text).build()
    built.run()
    assert built["seen"] == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_loaded_state_of_a_finished_count_leaves_nothing_to_do() -> None:
    from atp.runtime.epochs import Epochs

    epochs = Epochs(2)
    assert list(epochs) == [0, 1]
    epochs.load_state_dict({"done": 2})
    assert list(epochs) == []


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ("step.params.k: 7", [7, 2, 1, 1]),
        ("step.params.k: '@params.p'", [9, 2, 1, 1]),
        ("step.table.a: 8", [3, 8, 1, 1]),
        ("step.inner.params.n: 6", [3, 2, 6, 1]),
        ("step.words.0: 5", [3, 2, 1, 5]),
    ],
)
def test_parts_two_and_three_files_deep_are_replaced(tmp_path: Path, replaced: str, expected: list[int]) -> None:
    (tmp_path / "deep.yaml").write_text("atp: 1\nparams: {n: 1}\nn: '@params.n'\n")
    (tmp_path / "leaf.yaml").write_text(
        'atp: 1\nparams: {k: 3}\nk: "@params.k"\ntable: {"#dict": {a: 2}}\n'
        'words: {"#max": [1, -1]}\ninner: {"#deep.yaml": }\n'
    )
    (tmp_path / "mid.yaml").write_text('atp: 1\nstep: {"#leaf.yaml": }\n')
    text = f"""
params: {{p: 9}}
m: {{"#mid.yaml": {{{replaced}}}}}
main:
  process: [{{"#list": [["@m.step.k", "@m.step.table", "@m.step.inner.n", "@m.step.words"]], output: y}}]
  output: y
"""
    k, table, n, word = run(text, tmp_path)  # type: ignore[misc]
    assert [k, table["a"], n, word] == expected


def test_what_does_not_exist_in_the_inner_file_is_said_where_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "leaf.yaml").write_text("atp: 1\nparams: {k: 3}\n")
    (tmp_path / "mid.yaml").write_text('atp: 1\nstep: {"#leaf.yaml": }\n')
    text = 'atp: 1\nm: {"#mid.yaml": {step.params.kk: 1, step.nothing: 2}}\n'
    problems = atp.load(tmp_path / "t.yaml", text=text).validate("syntax").errors
    assert [(p.code, p.place.line, p.place.column) for p in problems] == [("E301", 1, 18), ("E301", 1, 37)]


def test_input_defaults_may_be_files_components_and_stages(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("atp: 1\nmain: {input: [a], process: [set: {b: $a + 1}], output: b}\n")
    text = """
st: {input: {x: 3, f: "#part.yaml", g: "@triple"}, process: [{$f: $x, output: y}, {$g: $x, output: z}], output: [y, z]}
main: {process: [{"@st": , output: [y, z]}], output: [y, z]}
triple: {input: [v], process: [set: {w: 3 * $v}], output: w}
"""
    assert run(text, tmp_path) == (4, 9)


@pytest.mark.parametrize("name", ["params", "run", "loop"])
def test_reserved_names_are_no_artefacts(tmp_path: Path, name: str) -> None:
    for stage in (
        f"process: [set: {{{name}: 1}}]",
        f"input: [{name}], process: []",
        f"process: [{{'#int': 1, output: {name}}}]",
    ):
        report = atp.load(tmp_path / "t.yaml", text=f"atp: 1\nmain: {{{stage}}}\n").validate("syntax")
        assert [problem.key for problem in report.errors] == ["E405.reserved"], str(report)


@pytest.mark.parametrize("step", ['if:\n      "#print": 1', "break:", 'if: null\n      "#print": 1'])
def test_empty_condition_is_an_error(tmp_path: Path, step: str) -> None:
    text = f"atp: 1\nmain:\n  iterator: {{'#range': 2}}\n  process:\n    - {step}\n"
    assert [p.code for p in atp.load(tmp_path / "t.yaml", text=text).validate("syntax").errors] == ["E505"]


LIBRARY = """
import contextlib
from collections.abc import Iterator

@contextlib.contextmanager
def timer() -> Iterator: yield
@contextlib.contextmanager
def named(name): yield name
def count(n): yield from range(n)
class Bag:
    def __init__(self, **kw): vars(self).update(kw)
class Open(dict):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.__dict__ = self
class Frozen:
    def __init__(self, x): object.__setattr__(self, "a" + "b", x)
class Leaves:
    def __init__(self): raise SystemExit(0)
"""


def test_attributes_that_the_code_may_give_are_not_missed(tmp_path: Path) -> None:
    (tmp_path / "review_lib.py").write_text(LIBRARY)
    text = """
bag: {"#review_lib.Bag": {q: 1}}
open: {"#review_lib.Open": {q: 2}}
frozen: {"#review_lib.Frozen": 3}
main:
  with: ["#review_lib.timer", {"#review_lib.timer": }]
  process: [{"#list": [["@bag.q", "@open.q", "@frozen.ab"]], output: y}]
  output: y
"""
    assert run(text, tmp_path) == [1, 2, 3]


def test_bare_names_in_with_and_iterator_are_checked_as_calls(tmp_path: Path) -> None:
    (tmp_path / "review_lib.py").write_text(LIBRARY)
    step = '{with: "#math.pi", set: {x: 1}}'
    text = f'main: {{with: "#review_lib.named", iterator: {{"#review_lib.count": }}, process: [{step}]}}\n'
    problems = atp.load(tmp_path / "t.yaml", text="atp: 1\n" + text).validate().errors
    assert [problem.key for problem in problems] == ["E302", "E302", "E203.call"]


def test_constructor_that_leaves_the_program_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "review_lib.py").write_text(LIBRARY)
    report = atp.load(tmp_path / "t.yaml", text='atp: 1\nx: {"#review_lib.Leaves": }\n').validate("init")
    assert [problem.code for problem in report.errors] == ["E210"]


def test_loops_and_contexts_beyond_what_python_nests_are_an_error(tmp_path: Path) -> None:
    def nested(count: int) -> str:
        inner = "{'#len': 'a'}"
        for _ in range(count):
            inner = f"{{iterator: {{'#range': 1}}, process: [{inner}]}}"
        return f"atp: 1\nmain: {{process: [{inner}]}}\n"

    atp.load(tmp_path / "t.yaml", text=nested(16)).build().run()
    assert [p.key for p in atp.load(tmp_path / "t.yaml", text=nested(17)).validate("syntax").errors] == ["E100.limit"]
    many = "atp: 1\nmain: {with: [" + "'#contextlib.nullcontext', " * 17 + "], process: []}\n"
    assert [p.key for p in atp.load(tmp_path / "t.yaml", text=many).validate("syntax").errors] == ["E100.limit"]
    atp.load(tmp_path / "t.yaml", text=many.replace("'#contextlib.nullcontext', ", "", 1)).build().run()


@pytest.mark.parametrize("text", ["len()", "abs(1, 2)", "min()", "int(1, 2, 3)", "float()", "every(1, 2, 3)"])
def test_wrong_number_of_arguments_in_an_expression_is_an_error(tmp_path: Path, text: str) -> None:
    text = f"atp: 1\nmain: {{iterator: {{'#range': 2}}, process: [{{set: {{x: '{text}'}}}}], output: x}}\n"
    assert [problem.code for problem in atp.load(tmp_path / "t.yaml", text=text).validate("syntax").errors] == ["E505"]


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [("", ["E302"]), ("[1, 2, 3, 4]", ["E304"]), ("{stop: 3}", ["E302", "E301"]), ("[9, 0, -1]", [])],
)
def test_range_is_checked_as_it_is_called(tmp_path: Path, arguments: str, codes: list[str]) -> None:
    text = f"atp: 1\nx: {{'#range': {arguments}}}\nmain: {{iterator: '@x', process: []}}\n"
    assert [problem.code for problem in atp.load(tmp_path / "t.yaml", text=text).validate().errors] == codes


def test_count_below_zero_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="total is -1; it must be 0 or more"):
        run('epochs: {"#atp.Epochs": -1}\nmain: {iterator: "@epochs", process: []}', tmp_path)


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("$i and true", "did you mean 'True'?"),
        ("$i is null", "did you mean 'None'?"),
        ("mim($i, 2) > 1", "did you mean 'min'?"),
        ("isinstance($i, 2)", "numbers, texts in quotes"),
        ("i > 2", "write $i for an artefact"),
        ('"@params.n" > 2', "put the whole value in one pair of quotes"),
        ("'a' == @params.n", "put the whole value in one pair of quotes"),
    ],
)
def test_hint_of_a_condition_leads_to_the_mend(tmp_path: Path, condition: str, hint: str) -> None:
    text = (
        "atp: 1\nparams: {n: 1}\nmain:\n  iterator: {'#range': 3, output: i}\n"
        f"  process:\n    - if: {condition}\n      '#print': $i\n"
    )
    (error,) = atp.load(tmp_path / "t.yaml", text=text).validate().errors
    assert hint in (error.hint_text() or "")


def test_method_that_a_scheduler_wraps_is_no_error_at_level_init(tmp_path: Path) -> None:
    text = """atp: 1
net: {"#torch.nn.Linear": [1, 1]}
optimizer: {"#torch.optim.SGD": ["@net.parameters()", 0.1]}
schedule: {"#torch.optim.lr_scheduler.StepLR": ["@optimizer", 1]}
main: {process: ["@optimizer.step", "@schedule.step"]}
"""
    assert atp.load(tmp_path / "t.yaml", text=text).validate("init").problems == ()


def test_optimisers_and_moved_networks_are_checked_without_creating_them(tmp_path: Path) -> None:
    text = """atp: 1
net: {"#torch.nn.Linear": [1, 1]}
model: {"@net.to": "@run.device"}
optimizer: {"#torch.optim.Adam": ["@model.parameters()", 0.1]}
main:
  input: [x]
  process:
    - "@optimizer.stpe"
    - {"@model": [$x, $x]}
    - {"@model.weigh": }
    - {"#print": ["@optimizer.param_groups", "@optimizer.state", "@model.weight"]}
"""
    problems = atp.load(tmp_path / "t.yaml", text=text).validate().problems
    assert [problem.message() for problem in problems] == [
        "'@optimizer' (Adam) has no 'stpe'",
        "'@model' takes at most 1 positional arguments",
        "'@model' (Linear) has no 'weigh'",
    ]


def _problems(text: str, folder: Path) -> list[tuple[str, int, str | None]]:
    found = atp.load(folder / "t.yaml", text="atp: 1\n" + text).validate().problems
    return [(problem.code, problem.place.line + 1, problem.hint_text()) for problem in found]


def test_slip_in_the_word_process_is_the_only_error(tmp_path: Path) -> None:
    text = "main:\n  iterator: {'#range': 3, output: i}\n  procesz:\n    each: [{'#abs': $i, output: k}]\n  output: k\n"
    assert _problems(text, tmp_path) == [("E501", 4, "did you mean 'process'?")]
    assert _problems("progress: {progress: [1, 2]}\nmain: {process: [{'#print': '@progress'}]}\n", tmp_path) == []


def test_break_without_a_condition_says_that_it_needs_one(tmp_path: Path) -> None:
    text = "main: {iterator: {'#range': 3}, process: [break]}\n"
    assert _problems(text, tmp_path) == [("E502", 2, "'break' needs a value: break: …")]


def test_name_that_is_no_library_has_no_errors_in_its_arguments(tmp_path: Path) -> None:
    assert [code for code, *_ in _problems("x: {'#step': {params.a: 1, b.c: 2}}\n", tmp_path)] == ["E204"]


def test_hint_is_found_in_a_large_library(tmp_path: Path) -> None:
    text = "main: {with: '#torch.nograd', process: []}\n"
    assert _problems(text, tmp_path) == [("E202", 2, "did you mean 'no_grad'?")]


def test_mapping_that_was_meant_as_a_file_is_told_where_it_is_used(tmp_path: Path) -> None:
    text = "step: {'step.yaml': {net: 1}}\nmain: {process: ['@step', '@step.val']}\n"
    assert [(code, line) for code, line, _ in _problems(text, tmp_path)] == [("E203", 3), ("E203", 3)]


@pytest.mark.parametrize(
    ("replaced", "problem"),
    [
        ("loss.label_smoothing: high", ("E305", 3, None)),
        ("params.w: '@params.wd'", ("E201", 3, "did you mean '@params.w'?")),
    ],
)
def test_replaced_arguments_are_checked_like_written_ones(
    tmp_path: Path, replaced: str, problem: tuple[str, int, str | None]
) -> None:
    (tmp_path / "step.yaml").write_text(
        'atp: 1\nparams: {w: 1}\nloss: {"#torch.nn.CrossEntropyLoss": }\nmain: {process: [{"#print": "@params.w"}]}\n'
    )
    text = f"params: {{w: 2}}\nstep: {{'#step.yaml': {{{replaced}}}}}\nmain: {{process: ['@step']}}\n"
    assert problem in _problems(text, tmp_path)
