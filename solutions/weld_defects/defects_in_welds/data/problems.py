"""Faults of the data as sentences, Russian and English: what is wrong, in which file and line, what to do."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ru")
MOST_SHOWN = 50
"""sentences of one kind that are written out; the report file holds all of them"""
WARNINGS = {
    *("image_16_bit", "image_grey", "image_huge", "image_flat"),
    *("box_repeated", "boxes_narrow", "shape_missing", "class_unseen", "split_boxless"),
}
"""kinds that a training can live with; any other kind stops it before it starts"""


@dataclass(frozen=True)
class Problem:
    """One fault. `line` is counted from 1, None where the file as a whole is meant; `holes` fill the sentence."""

    code: str
    file: str
    line: int | None = None
    holes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        """Does it stop the training?"""
        return self.code not in WARNINGS

    def sentence(self, language: str) -> str:
        """`file, line 3: what is wrong`."""
        texts = _texts()
        place = f"{self.file}, {texts['line'][language]} {self.line}" if self.line else self.file
        return f"{place}: {texts[self.code][language].format_map(self.holes)}"

    def record(self) -> dict[str, Any]:
        """For the report file: both languages, so that it reads the same whoever made it."""
        known = {"code": self.code, "file": self.file, "line": self.line, "is_error": self.is_error}
        return {**known, **{language: self.sentence(language) for language in LANGUAGES}}


class DataError(ValueError):
    """The data cannot be trained on; the message lists every fault."""


class MissingDataError(DataError, FileNotFoundError):
    """As DataError, and files are not there: `dvc pull` may bring them."""


def raise_for(problems: Iterable[Problem], language: str, report: Path | None = None) -> None:
    """Raise if there is an error among the problems: MissingDataError if a folder is missing, else DataError."""
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        is_missing = any(problem.code in ("folder_missing", "names_missing") for problem in errors)
        lines = sentences(errors, language)
        title = _texts()["title"][language].format(count=len(errors))
        where = [_texts()["report"][language].format(report=report)] if report else []
        raise (MissingDataError if is_missing else DataError)("\n".join([title, *lines, *where]))


def sentences(problems: Iterable[Problem], language: str) -> list[str]:
    """One line a problem; of each kind the first MOST_SHOWN, then how many more there are."""
    shown: Counter[str] = Counter()
    lines: list[str] = []
    for problem in problems:
        shown[problem.code] += 1
        if shown[problem.code] <= MOST_SHOWN:
            lines.append(problem.sentence(language))
    rest = sum(max(0, count - MOST_SHOWN) for count in shown.values())
    return [*lines, _texts()["more"][language].format(count=rest)] if rest else lines


def warn_of(problems: Iterable[Problem], language: str, warn: Callable[[str], None]) -> None:
    """Tell `warn` of everything that is no error: one message of each kind, with its files."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        if not problem.is_error:
            by_code.setdefault(problem.code, []).append(problem)
    for group in by_code.values():
        warn("\n".join(sentences(group, language)))


def chosen_language(given: str, of_run: str = "") -> str:
    """`given` if it is en or ru; for `auto` the one `of_run`, else the terminal's (LC_ALL, LC_MESSAGES, LANG)."""
    if given in LANGUAGES:
        return given
    if given != "auto":
        raise ValueError(f"data.language is {given!r}; known are auto, {', '.join(LANGUAGES)}")
    if of_run:
        return of_run
    told = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ru" if told.startswith("ru") else "en"


def text(code: str, language: str, **holes: Any) -> str:
    """The sentence `code` with its holes filled."""
    return _texts()[code][language].format_map(holes)


def _texts() -> dict[str, dict[str, str]]:
    global _loaded
    if not _loaded:
        _loaded = json.loads((Path(__file__).parent / "problem_texts.json").read_text(encoding="utf-8"))
    return _loaded


_loaded: dict[str, dict[str, str]] = {}
