"""Help pages in both languages: every template and argument is explained in each, by a test and not by good will."""

import inspect
import re
from pathlib import Path

import pytest

import atp
from atp import registry
from atp.cli import main
from atp.help.pages import NoHelpError, explanations, help_page
from atp.messages import texts
from atp.resolution.library import Library
from atp.settings import Settings

OWN = ("atp.Checkpoint", "atp.Epochs", "atp.ddp", "atp.distributed")


def names() -> list[str]:
    return [*(f"core.{name}" for name in registry.template_names()), *OWN]


def page(name: str, language: str, folder: Path) -> str:
    return help_page(Library((folder,)), f"#{name}", None, Settings(folder), language)


def arguments_of(name: str, folder: Path) -> list[str]:
    target = Library((folder,)).find(tuple(name.split(".")))
    return list(inspect.signature(target).parameters)  # type: ignore[arg-type]


def test_what_is_explained_in_russian_is_all_there_is_and_nothing_else(tmp_path: Path) -> None:
    explained = explanations("ru")
    assert sorted(explained) == sorted(names())
    for name in names():
        assert sorted(explained[name]) == sorted(["", *arguments_of(name, tmp_path)]), name


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_argument_has_a_description(language: str, tmp_path: Path) -> None:
    for name in names():
        shown = page(name, language, tmp_path).splitlines()
        for argument in arguments_of(name, tmp_path):
            (row,) = [row for row in shown if re.match(rf"\s+(\d+\s+)?\*{{0,2}}{argument}\s", row)]
            described = re.split(r"\s{2,}", row.strip())[-1]
            assert described not in ("required", "обязателен", "True", "False", "None"), (name, row)
            assert re.match(r"[^\W_]|`|\(\w", described) and not re.fullmatch(r"[\d.]+", described), (name, row)
            assert bool(re.search("[а-яё]", described)) == (language == "ru") or "@run" in described, (name, row)


def test_the_frame_of_a_page_is_in_its_language(tmp_path: Path) -> None:
    russian = page("core.Loss", "ru", tmp_path)
    assert "аргумент" in russian and "гнёзда:" in russian and "обязателен" not in russian
    assert "обязателен" in page("core.Scheduler", "ru", tmp_path)
    assert "argument" in page("core.Loss", "en", tmp_path) and "sockets:" in page("core.Loss", "en", tmp_path)


def test_a_library_is_quoted_and_that_is_said(tmp_path: Path) -> None:
    russian = page("torch.optim.SGD", "ru", tmp_path)
    assert texts("ru")["help.own_words"] in russian
    assert texts("en")["help.own_words"] not in page("torch.optim.SGD", "en", tmp_path)


def test_why_there_is_no_page_is_said_in_the_language(examples: Path) -> None:
    pipeline = atp.load(examples / "classifier.yaml", language="ru")
    with pytest.raises(NoHelpError, match="нет компоненты '@absent'"):
        pipeline.help("@absent")
    assert "стадии:" in pipeline.help("") and "(пайплайн)" in pipeline.help("")


@pytest.mark.parametrize(
    ("language", "shown"), [("en", "passes|only English|шаг|plain"), ("ru", "проходы|only English|шаг|plain")]
)
def test_parameters_are_described_in_the_language_and_else_in_the_other(
    language: str, shown: str, tmp_path: Path
) -> None:
    text = (
        "atp: 1\nparams:\n  a: {value: 1, doc: {en: passes, ru: проходы}}\n  b: {value: 1, doc: {en: only English}}\n"
        "  c: {value: 1, doc: {ru: шаг, en: ''}}\n  d: {value: 1, doc: plain}\n"
    )
    pipeline = atp.load(tmp_path / "x.yaml", text=text, language=language)
    rows = [row for row in pipeline.help("").splitlines() if re.match(r"  [abcd] ", row)]
    assert "|".join(re.split(r"\s{2,}", row.strip())[-1] for row in rows) == shown
    assert pipeline.param_form()["params"]["a"]["description"] == {"en": "passes", "ru": "проходы"}
    assert pipeline.param_form()["params"]["d"]["description"] == "plain"


@pytest.mark.parametrize(("language", "said"), [("en", "no language 'de'"), ("ru", "нет языка 'de'")])
def test_a_wrong_description_is_told_in_the_language_with_what_to_write(
    language: str, said: str, tmp_path: Path
) -> None:
    text = "atp: 1\nparams: {a: {value: 1, doc: {de: Rate}}, b: {value: 1, doc: []}}\n"
    told = atp.load(tmp_path / "x.yaml", text=text, language=language).validate("syntax").to_text()
    assert "x.yaml:2:30: E501: " in told and said in told and "en, ru" in told
    assert "x.yaml:2:61: E505: " in told and 'doc: {en: "a text", ru: "текст"}' in told


def test_the_command_takes_the_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "ru", "help", "#core.Best"]) == 3
    assert "Лучшая оценка" in capsys.readouterr().out
