"""Unquoted `#x` and `@x`: finds them and makes the text readable, so that the rest of the file is still checked.

The symbol is replaced by a private character of the same width: no column moves.
"""

import re
from dataclasses import dataclass, field

HASH, AT = "\ue000", "\ue001"
WINDOW = 500  # characters of a line that are looked at: the search must not grow with the file
_SYMBOLS = {HASH: "#", AT: "@"}
_REFERENCE = r"[A-Za-z_][\w./-]*(?::[\w.]+)?(?:\(\))?"
# A comment is taken for a forgotten quote where a value is expected and the comment is nothing but a reference.
_AFTER_KEY = re.compile(rf"(?:[:\[{{,?]|^\s*-|^)[ \t]*(#)({_REFERENCE})(?=\s*(?:$|[,}}\]]|:(?:\s|$)))")


@dataclass
class Repaired:
    """A text in which symbols were replaced, and where."""

    lines: list[str]
    hashes: dict[tuple[int, int], str] = field(default_factory=dict)
    ats: set[tuple[int, int]] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The readable text."""
        return "\n".join(self.lines)

    def copy(self) -> "Repaired":
        """The same, to come back to."""
        return Repaired(list(self.lines), dict(self.hashes), set(self.ats))

    def replace(self, line: int, column: int, symbol: str) -> None:
        """Put the private character where `#` or `@` is."""
        source = self.lines[line]
        self.lines[line] = source[:column] + symbol + source[column + 1 :]


def restored(text: str) -> str:
    """The text as it was written."""
    for private, symbol in _SYMBOLS.items():
        text = text.replace(private, symbol)
    return text


def reference_in_comment(line: str) -> tuple[int, str] | None:
    """Column and text of the first reference in a part of a line that YAML takes for a comment."""
    for found in _AFTER_KEY.finditer(line):
        if not _is_inside_quotes(line, found.start(1)):
            return found.start(1), found.group(2)
    return None


def _is_inside_quotes(line: str, column: int) -> bool:
    before = line[:column]
    without_single = re.sub(r"'[^']*'", "", re.sub(r'"(?:\\.|[^"\\])*"', "", before))
    return '"' in without_single or "'" in without_single
