"""One file per code in codes/: it triggers exactly that code, at the places its first line names."""

import json
import re
from pathlib import Path

import pytest

import atp
from atp.messages import texts

CODES = Path(__file__).parent / "codes"
FILES = sorted(path for path in CODES.glob("*.yaml"))
SPECIFIED = [
    *("E101", "E102", "E103", "E104", "E201", "E202", "E203", "E204", "E205", "E206", "E210", "E301", "E302", "E303"),
    *("E304", "E305", "E401", "E402", "E403", "E404", "E405", "E501", "E502", "E503", "E504", "E505"),
    *("W406", "W407", "W408", "W610"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_triggers_exactly_its_code_at_its_place(path: Path) -> None:
    report = atp.load(path).validate("init")
    code = path.name.split(".")[0]
    assert {problem.code for problem in report.problems} == {code}, str(report)
    expected = re.findall(r"\d+:\d+", path.read_text().splitlines()[0])
    assert [f"{p.place.line + 1}:{p.place.column + 1}" for p in report.problems] == expected, str(report)


def test_every_code_of_the_specification_has_a_file() -> None:
    assert set(SPECIFIED) <= {path.name.split(".")[0] for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_report_reads_in_both_languages_with_line_and_caret(path: Path) -> None:
    report = atp.load(path).validate("init")
    for language in ("en", "ru"):
        text = report.to_text(language)
        assert "^" in text and "{" not in texts(language)[report.problems[0].key].format_map(report.problems[0].holes)
        json.dumps(report.to_records(language))


@pytest.mark.parametrize(
    "text",
    [
        *("a: [1, 2\nb: 3\n", "a: {b: 1\nc: 2\n", "a: b: c\n", "a: 1\n\tb: 2\n", 'a: "x\n', "- a\nb: 1\n"),
        *("a: %x\n", "a: }\n", 'a: "\\q"\n', "x\ny: 1\n", "a: - 1\n", "a: |\n\tx\n"),
    ],
)
def test_what_stops_the_yaml_reader_is_said_in_russian_too(text: str) -> None:
    (error,) = atp.load("x.yaml", text="atp: 1\n" + text).validate("syntax").errors
    assert error.key == "E100.yaml"
    assert str(error.holes["reason"]) in error.message("en")
    assert not re.search("[a-z]", error.message("ru"))


def test_texts_of_both_languages_have_the_same_keys_and_holes() -> None:
    english, russian = texts("en"), texts("ru")
    assert english.keys() == russian.keys()
    for key in english:
        assert set(re.findall(r"{(\w+)}", english[key])) == set(re.findall(r"{(\w+)}", russian[key])), key


def test_every_text_is_used() -> None:
    source = "".join(path.read_text() for path in Path(atp.__file__).parent.rglob("*.py"))
    assert [key for key in texts("en") if f'"{key}"' not in source and f"'{key}'" not in source] == []


@pytest.mark.parametrize(
    ("file", "name"), [("E201", "@model"), ("E202", "Net"), ("E203", "train"), ("E301", "hidden"), ("E501", "output")]
)
def test_hint_is_the_nearest_legal_name(file: str, name: str) -> None:
    report = atp.load(CODES / f"{file}.yaml").validate()
    assert report.problems[0].hint_text("en") == f"did you mean '{name}'?"


def test_all_errors_of_a_file_come_in_one_pass_sorted_by_place(tmp_path: Path) -> None:
    text = 'atp: 1\na: @b\nc: "#os.system"\nd: {process: [{set: {x: 1 +}}, {"@nothing": , outptu: y}]}\n'
    report = atp.load(tmp_path / "x.yaml", text=text).validate()
    assert [p.code for p in report.errors] == ["E102", "E201", "E204", "E505", "E201", "E501"]
    assert [p.place.line for p in report.errors] == sorted(p.place.line for p in report.errors)


@pytest.mark.parametrize(
    ("text", "english", "russian"),
    [
        ("x: " + "[" * 70, "lists and mappings in one another, at most 60", "списков и отображений — не больше 60"),
        ("atp: 1\n---\natp: 1\n", "YAML documents, at most 1", "документов в одном файле — не больше 1"),
        ("x: '" + "a" * 1_000_001 + "'", "characters, at most 1000000", "знаков — не больше 1000000"),
    ],
)
def test_limits_are_told_in_both_languages(tmp_path: Path, text: str, english: str, russian: str) -> None:
    problem = atp.load(tmp_path / "t.yaml", text=text).validate("syntax").errors[0]
    assert problem.message("en") == f"the file is over the limit: {english}"
    assert problem.code == "E100" and problem.message("ru").endswith(russian)
    assert not re.search("[A-Za-z]", problem.message("ru"))


def test_too_many_files_in_one_another_are_told_as_such(tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"f{number}.yaml").write_text(f'atp: 1\nnext: {{"#f{number + 1}.yaml": }}\n')
    (tmp_path / "f15.yaml").write_text("atp: 1\n")
    (error,) = atp.load(tmp_path / "f0.yaml").validate("syntax").errors
    assert error.message("en") == "the file is over the limit: files in one another, at most 12"
