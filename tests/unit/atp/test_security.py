"""What a file must not reach."""

import os
import sys
from pathlib import Path

import pytest

import atp
from atp.resolution.library import Library, LookupFailureError

FORBIDDEN = [
    "os.system",
    "logging.os.system",
    "subprocess.Popen",
    "builtins.eval",
    "eval",
    "getattr",
    "importlib.import_module",
    "sys.modules",
    "torch.hub.load",
    "torch.load",
    "torch.serialization.load",
    "torch.ops.load_library",
    "torch.utils.cpp_extension.load",
    "torch.utils.model_zoo.load_url",
    "torch.utils.collect_env.run",
    "torch.os.system",
    "torch.sys.exit",
    "torch.nn.functional.importlib.import_module",
    "torch.multiprocessing.Process",
    "operator.attrgetter",
    "operator.methodcaller",
    "atp.load",
    "atp.api.load",
    "atp.api.Pipeline",
    "atp.resolution.library.importlib.import_module",
    "atp.runtime.local_platform.importlib.util.find_spec",
    "torch.nn.Linear.__init__",
    "torch.nn.Linear.forward.__globals__",
    "functools.partial.__class__",
    "functools.reduce",
    "PlatformAPI.run_context.os.system",
    "copy.deepcopy.__globals__",
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_name_is_refused(name: str, tmp_path: Path) -> None:
    report = atp.load(tmp_path / "x.yaml", text=f'atp: 1\nx: {{"#{name}": }}\n').validate()
    assert [problem.code for problem in report.errors] == ["E204"], str(report)
    with pytest.raises(LookupFailureError):
        Library((tmp_path,)).find(tuple(name.split(".")))


def test_allowed_name_of_wrong_object_stays_refused_when_its_module_is_allowed(tmp_path: Path) -> None:
    pipeline = atp.load(tmp_path / "x.yaml", text='atp: 1\nx: {"#logging.os.system": ls}\n', allow=["logging"])
    assert [problem.key for problem in pipeline.validate().errors] == ["E204.real"]


@pytest.mark.parametrize("name", ["logging.getLogger", "numpy.mean", "numpy.random.default_rng", "os.path.join"])
def test_exact_entry_is_honoured_as_written_wherever_the_object_comes_from(tmp_path: Path, name: str) -> None:
    report = atp.load(tmp_path / "x.yaml", text=f'atp: 1\nx: "#{name}"\ny: "#os.system"\n', allow=[name]).validate()
    assert [problem.holes["reference"] for problem in report.errors] == ["#os.system"]


def test_partial_of_a_forbidden_object_is_refused(tmp_path: Path) -> None:
    text = 'atp: 1\nx: {"#functools.partial": ["#os.system", ls]}\n'
    assert [problem.code for problem in atp.load(tmp_path / "x.yaml", text=text).validate().errors] == ["E204"]


def test_own_module_may_not_hide_a_library(tmp_path: Path) -> None:
    (tmp_path / "os.py").write_text("raise SystemExit('hidden')")
    (tmp_path / "torch.py").write_text("raise SystemExit('hidden')")
    text = 'atp: 1\nx: {"#os.system": ls}\n'
    assert [problem.code for problem in atp.load(tmp_path / "x.yaml", text=text).validate().errors] == ["E204"]


def test_file_behind_a_symbolic_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("atp: 1\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    pipeline = atp.load(tmp_path / "project" / "x.yaml", text='atp: 1\nx: {"#link.yaml": }\n')
    assert [problem.code for problem in pipeline.validate().errors] == ["E205"]


def test_level_syntax_runs_no_code_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "evil_lib.py").write_text("import pathlib; pathlib.Path('touched').touch()\ndef f(): ...\n")
    pipeline = atp.load(tmp_path / "x.yaml", text='atp: 1\nx: {"#evil_lib.f": }\nmain: {process: ["@x"]}\n')
    assert pipeline.validate("syntax").errors == []
    pipeline.graph("init"), pipeline.graph("exec")
    assert not (tmp_path / "touched").exists() and "evil_lib" not in sys.modules


def test_modules_of_two_projects_with_one_name_do_not_mix(tmp_path: Path) -> None:
    for project in ("one", "two"):
        (tmp_path / project).mkdir()
        (tmp_path / project / "shared_lib.py").write_text(f"def f(): return {project!r}\n")
        pipeline = atp.load(tmp_path / project / "x.yaml", text='atp: 1\nx: {"#shared_lib.f": }\n')
        assert pipeline.build()["x"] == project


def test_alias_bomb_and_huge_files_end_at_once(tmp_path: Path) -> None:
    bomb = "atp: 1\na: &a [x, x]\n" + "".join(f"b{i}: [*a, *a]\n" for i in range(1000))
    assert all(problem.code == "E104" for problem in atp.load(tmp_path / "x.yaml", text=bomb).validate().errors)
    deep = "atp: 1\nx: " + "[" * 100_000
    assert [problem.code for problem in atp.load(tmp_path / "x.yaml", text=deep).validate().errors] == ["E100"]


def test_checkpoint_with_code_is_not_loaded(tmp_path: Path) -> None:
    import torch

    from atp.runtime.checkpoint import Checkpoint, CheckpointError

    class Evil:
        def __reduce__(self) -> object:
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"format": 1, "targets": {}, "evil": Evil()}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError):
        Checkpoint(str(tmp_path), targets={}).load("bad")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "text",
    [
        "atp: 1\n" + "".join(f'c{i}: "@c{i + 1}"\n' for i in range(3000)) + 'c3000: 1\nmain: {process: ["@c0.x"]}\n',
        "atp: 1\n" + "".join(f'c{i}: "@d{i + 1}"\n' for i in range(2000)),
        "atp: 1\nx: {" + "a: , " * 20_000 + "}",
        "atp: 1\nx: [" + "'#a.b', " * 20_000 + "]",
        "atp: 1\nx: " + "#a.b, " * 20_000,
        "atp: 1\nx: [" + "@a, " * 2000 + "]",
        'atp: 1\nmain: {process: [{set: {x: "' + "(" * 1900 + '1"}}], output: x}',
        "atp: 1\nmain: {process: [" + '{if: 1 > 0, "#print": 1}, ' * 3000 + "]}",
    ],
    ids=["chain", "misses", "duplicates", "quoted", "comment", "ats", "parentheses", "steps"],
)
def test_long_files_end_with_a_report(tmp_path: Path, text: str) -> None:
    pipeline = atp.load(tmp_path / "x.yaml", text=text)
    report = pipeline.validate("syntax")
    if not report.errors:
        pipeline.graph("init").to("dot")
        pipeline.source("main")


@pytest.mark.parametrize(
    "name",
    [
        "torch.cuda.CUDAPluggableAllocator",
        "torch.cuda.memory.CUDAPluggableAllocator",
        "torch.distributed.nn.jit.instantiator.instantiate_scriptable_remote_module_template",
        "torchvision.datasets.LSUN",
        "torch.distributed.tensor.parallel.loss.utils.wrappers.pytree.enum_object_hook",
    ],
)
def test_ways_to_native_code_templates_and_imports_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LookupFailureError) as caught:
        Library((tmp_path,)).find(tuple(name.split(".")))
    assert caught.value.key.startswith("E204")


HEX, NINES = "0x" + "F" * 3900, "9" * 400


@pytest.mark.parametrize(
    "text",
    [
        f"params: {{x: {{value: {HEX}, type: int}}}}\n",
        f"params: {{x: {{value: 0x{'F' * 3400}, type: str}}}}\n",
        f"params: {{x: {{value: {NINES}, type: float}}}}\n",
        f"params: {{x: {{value: 1, max: {NINES}}}}}\n",
        f"main: {{process: [{{'#str': {HEX}, output: y}}], output: y}}\n",
        "main: {process: [{set: {y: '" + "1+" * 900 + "1'}}], output: y}\n",
        "main: {process: [{set: {y: '" + "-" * 1500 + "1'}}], output: y}\n",
        "main: {process: [{set: {y: '" + "not " * 90 + "1'}}], output: y}\n",
    ],
    ids=["int", "str", "float", "max", "argument", "sum", "minus", "not"],
)
def test_huge_numbers_and_deep_expressions_end_with_a_report(tmp_path: Path, text: str) -> None:
    pipeline = atp.load(tmp_path / "x.yaml", text="atp: 1\n" + text)
    if not pipeline.validate().errors and pipeline.instance.model.stages:
        pipeline.source("main")
        pipeline.build().run()


def test_long_line_is_cut_around_its_errors(tmp_path: Path) -> None:
    text = "atp: 1\nmain: {process: [" + "$x, " * 3000 + "]}\n"
    report = atp.load(tmp_path / "x.yaml", text=text).validate("syntax")
    assert len(report.errors) == 3000 and len(str(report)) < 3_000_000
    lines = report.errors[-1].to_text(text.split("\n")[1]).split("\n")
    caret = lines[2].index("^")
    assert lines[1][caret : caret + 2] == "$x"


@pytest.mark.parametrize("text", ["tool = 5\n", "x = " + "[" * 5000])
def test_settings_that_cannot_be_read_are_not_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert atp.load(tmp_path / "x.yaml", text="atp: 1\nx: 1\n", root=tmp_path).validate().errors == []
