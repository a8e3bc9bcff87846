"""The command line: exit codes and what is printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atp.cli import main

GOOD = """atp: 1
params: {n: 3}
main:
  iterator: {"#range": "@params.n", output: i}
  process:
    - set: {y: $i + 1}
  output: y
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.yaml").write_text(GOOD)
    return "good.yaml"


def test_validate_prints_records_and_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD.replace("$i + 1", "$j + 1"))
    assert main(["--lang", "ru", "validate", "bad.yaml", "--format", "json"]) == 2
    record = json.loads(capsys.readouterr().out)[0]
    assert (record["code"], record["line"], record["column"]) == ("E402", 6, 16)
    assert "не создаётся" in record["message"]
    assert main(["validate", "bad.yaml"]) == 2
    assert "bad.yaml:6:16: E402" in capsys.readouterr().err


def test_run_sets_parameters_and_limits(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", good, "--set", "n=7"]) == 0
    assert main(["run", good, "--limit", "2", "--profile"]) == 0
    captured = capsys.readouterr()
    assert captured.out.split() == ["7", "2"] and "main:6 set y" in captured.err
    assert main(["run", good, "--set", "m=7"]) == 2
    assert main(["run", good, "--set", "n=x"]) == 2
    assert "good.yaml:2:13: E305: argument 'n' expects int, got str ('x')" in capsys.readouterr().err
    assert main(["run", good, "nothing"]) == 2


def test_run_reads_its_file_once(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: [read.append(path.name), real(path)][1])
    assert main(["run", good, "--set", "n=7"]) == 0
    assert read.count(good) == 1


def test_a_number_given_to_a_text_is_a_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        'atp: 1\nparams: {stride: {value: "4", choices: ["4", "8"]}}\nmain:\n  process: [set: {s: "@params.stride"}]\n'
    )
    (tmp_path / "choice.yaml").write_text(text + "  output: s\n")
    assert main(["run", "choice.yaml", "--set", "stride=8"]) == 0
    assert capsys.readouterr().out.split() == ["8"]
    assert main(["run", "choice.yaml", "--set", "stride=5"]) == 2


def test_a_run_of_the_workstation_speaks_the_language_of_its_page(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"format": 1, "language": "ru"}')
    (tmp_path / "bad.yaml").write_text(GOOD.replace("$i + 1", "$j + 1"))
    locale = {"LC_ALL": "en_GB.UTF-8", "OMP_NUM_THREADS": "1"}

    def told(command: str, **variables: str) -> str:
        started = [sys.executable, "-m", "atp.cli", command, "bad.yaml"]
        environment = {**os.environ, **locale, **variables}
        return subprocess.run(
            started, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
        ).stderr

    assert "не создаётся" in told("run", ARM_RUN_DIR=str(tmp_path / "run"))
    assert "не создаётся" not in told("run")
    assert "не создаётся" in told("run", LC_ALL="ru_RU.UTF-8")
    assert "не создаётся" not in told("validate", ARM_RUN_DIR=str(tmp_path / "run"))


def test_failed_run_exits_with_1_and_names_the_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text(GOOD.replace("$i + 1", "1 / $i"))
    assert main(["run", "bad.yaml"]) == 1
    assert "bad.yaml:6:16: ZeroDivisionError" in capsys.readouterr().err


def test_question_mark_prints_help_and_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ask.yaml").write_text('atp: 1\nx: {"#functools.partial": "?"}\nmain: {process: ["@x"]}\n')
    assert main(["run", "ask.yaml"]) == 3
    assert "functools.partial" in capsys.readouterr().out
    assert main(["help", "ask.yaml"]) == 3
    assert main(["help", "#os.system"]) == 2


def test_show_prints_python(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", good]) == 0
    assert "for i in _range(3):" in capsys.readouterr().out


def test_fmt_adds_quotes_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b'atp: 1\r\na: #torch.nn.ReLU  \r\nb: [@a, "@a"] # text\n')
    assert main(["fmt", "f.yaml", "--check"]) == 2
    assert main(["fmt", "f.yaml"]) == 0
    assert path.read_bytes() == b'atp: 1\r\na: "#torch.nn.ReLU"  \r\nb: ["@a", "@a"] # text\n'
    assert main(["fmt", "f.yaml", "--check"]) == 0


def test_debug_stops_before_each_step(
    good: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["n", "p i", "q"])
    monkeypatch.setattr("atp.runtime.debugging.input", lambda _: next(answers), raising=False)
    assert main(["run", good, "--debug", "main:6"]) == 1
    out = capsys.readouterr().out
    assert out.count("-- line 6: set y") == 2 and "y: int 1" in out
    assert main(["run", good, "--debug", "other"]) == 2


def test_importing_and_level_syntax_need_no_torch(examples: Path) -> None:
    code = (
        "import sys, atp, atp.api, atp.cli; p = atp.load(sys.argv[1]); assert not p.validate('syntax').errors;"
        "p.graph('exec', 'main'); p.graph('init'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(examples / "classifier.yaml")], check=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s=123", "123"), ("s=true", "true"), ("s=", ""), ("g.s=null", "null"), ("items=[3, x]", [3, "x"]),
        ("table={a: 2}", {"a": 2}), ("c=2", "2"), ("i=7", 7), ("f=2", 2.0), ("b=false", False), ("n=5", 5),
    ],
)  # fmt: skip
def test_set_takes_every_type(tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, expected: object) -> None:
    file = tmp_path / "t.yaml"
    name = given.partition("=")[0]
    file.write_text(
        'atp: 1\nparams: {s: text, items: [1], i: 1, f: 1.0, b: true, c: {value: "1", choices: ["1", "2"]}, n: null, '
        f'g: {{s: x}}, table: {{value: {{a: 1}}}}}}\nx: "@params.{name}"\n'
        'main: {process: [{"#list": [["@x"]], output: y}], output: y}\n'
    )
    assert main(["run", str(file), "--set", given, "--format", "json"]) == 0
    value = json.loads(capsys.readouterr().out.splitlines()[-1])["result"][0]
    assert value == expected and type(value) is type(expected)


def test_question_mark_in_another_file_is_explained_from_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "part.yaml").write_text('atp: 1\nd: {"#dict": {a: 1}}\nmain: {process: [{"@d": "?"}]}\n')
    file = tmp_path / "t.yaml"
    file.write_text('atp: 1\np: {"#part.yaml": }\nmain: {process: ["@p"]}\n')
    assert main(["run", str(file)]) == 3
    assert "dict" in capsys.readouterr().out


def test_question_mark_creates_nothing_at_level_init(tmp_path: Path) -> None:
    import atp

    pipeline = atp.load(tmp_path / "t.yaml", text='atp: 1\nx: {"#torch.nn.Linear": "?"}\nmain: {process: ["@x"]}\n')
    assert pipeline.validate("init").errors == []
    with pytest.raises(ValueError, match="asks for help"):
        pipeline.build()
