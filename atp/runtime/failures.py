"""Where in the file a run failed."""

from collections.abc import Mapping
from types import TracebackType

from atp.diagnostics import Place, caret_lines


def place_of_failure(error: BaseException, sources: Mapping[str, tuple[str, ...]]) -> Place | None:
    """The step of a pipeline file that raised, the innermost one; None if no step did."""
    found: Place | None = None
    step: TracebackType | None = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file in sources:
            positions = list(step.tb_frame.f_code.co_positions())
            line, _, start, end = positions[step.tb_lasti // 2]
            line = line or step.tb_lineno
            text = sources[file][line - 1].encode() if line <= len(sources[file]) else b""
            column = len(text[: start or 0].decode(errors="replace"))
            end_column = len(text[: end or 0].decode(errors="replace"))
            found = Place(file, line - 1, column, max(end_column, column + 1))
        step = step.tb_next
    return found


def failure_text(error: BaseException, place: Place | None, sources: Mapping[str, tuple[str, ...]]) -> str:
    """The error with its place, source line and carets."""
    message = f"{type(error).__name__}: {error}"
    if place is None:
        return message
    head = f"{place.file}:{place.line + 1}:{place.column + 1}: {message}"
    return "\n".join([head, *caret_lines(sources[place.file][place.line], place)])


def failure_record(error: BaseException, place: Place | None) -> dict[str, object]:
    """The same for `--format json`. Line and column from 1, null if no step raised."""
    return {
        "code": "run",
        "level": "error",
        "file": place.file if place else None,
        "line": place.line + 1 if place else None,
        "column": place.column + 1 if place else None,
        "end_column": place.end_column + 1 if place else None,
        "message": f"{type(error).__name__}: {error}",
        "hint": None,
    }
