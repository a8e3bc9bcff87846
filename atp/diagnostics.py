"""What is wrong with a file, and where. A problem is kept as code and holes; it becomes a sentence when it is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from atp.messages import sentence, yaml_reason
from atp.names import nearest

SHOWN_NAMES_MAX = 8
LINE_MAX = 400  # characters of a source line that are shown


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written. Lines and columns count from 0; they are shown from 1."""

    file: str
    line: int
    column: int
    end_column: int

    def part(self, offset: int, length: int) -> "Place":
        """A part of this place, for a name inside a text."""
        start = min(self.column + offset, max(self.end_column - 1, self.column))
        return Place(self.file, self.line, start, max(start + 1, min(start + length, self.end_column)))


@dataclass(frozen=True, slots=True)
class Hint:
    """One line that helps: a key of the texts and its holes."""

    key: str
    holes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One error (E…) or warning (W…). `key` is the code, or the code and a variant of its sentence: `E203.call`."""

    key: str
    place: Place
    holes: Mapping[str, object] = field(default_factory=dict)
    hint: Hint | None = None

    @property
    def code(self) -> str:
        """The code alone, `E203`."""
        return self.key.partition(".")[0]

    @property
    def is_error(self) -> bool:
        """False for a warning."""
        return self.key.startswith("E")

    def message(self, language: str = "en") -> str:
        """The sentence."""
        if self.key == "E100.yaml":
            return sentence(self.key, {"reason": yaml_reason(str(self.holes["reason"]), language)}, language)
        if self.key == "E100.limit":
            what = sentence(str(self.holes["what"]), {}, language)
            return sentence(self.key, {**self.holes, "what": what}, language)
        return sentence(self.key, self.holes, language)

    def hint_text(self, language: str = "en") -> str | None:
        """The hint, if there is one."""
        return sentence(self.hint.key, self.hint.holes, language) if self.hint else None

    def to_text(self, source_line: str | None, language: str = "en") -> str:
        """The message with its source line, a caret and the hint."""
        place = self.place
        lines = [f"{place.file}:{place.line + 1}:{place.column + 1}: {self.code}: {self.message(language)}"]
        if source_line is not None:
            lines += caret_lines(source_line, place)
        hint = self.hint_text(language)
        if hint:
            lines.append(f"       = {hint}")
        return "\n".join(lines)

    def to_record(self, language: str = "en") -> dict[str, object]:
        """What `--format json` prints. Lines and columns from 1; the end column is after the last character."""
        return {
            "code": self.code,
            "level": "error" if self.is_error else "warning",
            "file": self.place.file,
            "line": self.place.line + 1,
            "column": self.place.column + 1,
            "end_column": self.place.end_column + 1,
            "message": self.message(language),
            "hint": self.hint_text(language),
        }


def caret_lines(source_line: str, place: Place) -> list[str]:
    """The source line and the carets under the place; of a very long line the part around the place."""
    if len(source_line) > LINE_MAX:
        cut = min(max(0, place.column - LINE_MAX // 4), max(0, len(source_line) - 1))
        source_line = source_line[cut : cut + LINE_MAX]
        place = Place(place.file, place.line, place.column - cut, place.end_column - cut)
    width = max(1, min(place.end_column, len(source_line)) - place.column)
    indent = "".join("\t" if char == "\t" else " " for char in source_line[: place.column])
    return [f"{place.line + 1:6d} | {source_line}", f"       | {indent}{'^' * width}"]


class Problems:
    """Collects problems; the same one at the same place counts once."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Problem] = {}
        self._error_count = 0

    def add(self, key: str, place: Place, hint: Hint | None = None, /, **holes: object) -> None:
        """Note one problem."""
        identity = (key, place, tuple(sorted((name, str(value)) for name, value in holes.items())))
        if identity not in self._found:
            self._found[identity] = Problem(key, place, holes, hint)
            self._error_count += key.startswith("E")

    def extend(self, problems: Iterable[Problem]) -> None:
        """Take over the problems of another pass."""
        for problem in problems:
            self.add(problem.key, problem.place, problem.hint, **problem.holes)

    def sorted(self) -> list[Problem]:
        """All problems by file, line and column."""
        return sorted(
            self._found.values(), key=lambda p: (p.place.file, p.place.line, p.place.column, p.key, p.message())
        )

    def drop(self, *codes: str) -> None:
        """Forget warnings with these codes."""
        self._found = {key: problem for key, problem in self._found.items() if problem.code not in codes}

    @property
    def has_errors(self) -> bool:
        """True if there is more than warnings."""
        return self._error_count > 0

    def error_count(self) -> int:
        """How many errors there are; a caller compares it to know whether its part was sound."""
        return self._error_count


def name_hint(name: str, legal: Iterable[str], sign: str = "") -> Hint | None:
    """The nearest legal name, else the legal names if they are few, else nothing."""
    names = sorted({word for word in legal if not word.startswith("_")})
    near = nearest(name, names)
    if near:
        return Hint("hint.nearest", {"name": sign + near})
    if 0 < len(names) <= SHOWN_NAMES_MAX:
        return Hint("hint.legal", {"names": ", ".join(sign + word for word in names)})
    return None


@dataclass(frozen=True)
class Report:
    """The outcome of a validation, sorted by place."""

    problems: tuple[Problem, ...]
    sources: Mapping[str, tuple[str, ...]]
    language: str = "en"

    @property
    def errors(self) -> list[Problem]:
        """Errors only."""
        return [problem for problem in self.problems if problem.is_error]

    @property
    def warnings(self) -> list[Problem]:
        """Warnings only."""
        return [problem for problem in self.problems if not problem.is_error]

    def to_records(self, language: str | None = None) -> list[dict[str, object]]:
        """The same as plain dictionaries, for an editor."""
        return [problem.to_record(language or self.language) for problem in self.problems]

    def to_text(self, language: str | None = None) -> str:
        """All problems as text with source lines and carets."""
        chosen = language or self.language
        return "\n".join(problem.to_text(self._line(problem.place), chosen) for problem in self.problems)

    def _line(self, place: Place) -> str | None:
        lines = self.sources.get(place.file, ())
        return lines[place.line] if place.line < len(lines) else None

    def __str__(self) -> str:
        return self.to_text()


class InvalidFileError(Exception):
    """The file has errors, so it is not built or run. `report` has them."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.to_text())
        self.report = report
