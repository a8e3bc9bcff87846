"""Places of the YAML file on nodes of the Python syntax tree."""

import ast
from typing import TypeVar

from atp.diagnostics import Place

_Node = TypeVar("_Node", bound=ast.AST)


class Placer:
    """Sets lines and columns. Python counts lines from 1 and columns in bytes of UTF-8."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self._lines = lines

    def at(self, place: Place, node: _Node) -> _Node:
        """Give the place to a node and to everything in it that has none yet."""
        line = self._lines[place.line] if place.line < len(self._lines) else ""
        if line.isascii():  # no copies of what may be a whole file in one line
            start, end = place.column, max(place.column + 1, min(place.end_column, len(line)))
        else:
            start = len(line[: place.column].encode(errors="replace"))
            end = start + max(1, len(line[place.column : place.end_column].encode(errors="replace")))
        for part in ast.walk(node):
            if "lineno" in part._attributes and not hasattr(part, "lineno"):
                part.lineno = part.end_lineno = place.line + 1  # type: ignore[attr-defined]
                part.col_offset, part.end_col_offset = start, end  # type: ignore[attr-defined]
        return node
