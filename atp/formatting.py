"""`atp fmt`: adds the quotes that YAML needs around `#…` and `@…`; changes nothing else."""

import re

from atp.diagnostics import Problems
from atp.reading.documents import read_document
from atp.reading.nodes import Mapping, Node, Scalar, Sequence

# Where the file has other faults too, so that it is not known where a text ends: only what surely ends there.
_WORD = re.compile(r"@[\w./-]*(?:\(\))?(?=\s*(?:$|[,}\]]|:(?:\s|$)|\s#))")


def with_quotes(text: str, file: str) -> str:
    """The text with missing quotes added; the same text if nothing is missing or where it cannot be read."""
    document = read_document(text, file, Problems())
    missing = {*document.repaired.hashes, *document.repaired.ats}
    if not missing:
        return text
    breaks = re.findall("\r\n|[\n\r\x85\u2028\u2029]", text)
    lines = list(document.lines)
    scalars = _scalars(document.root)
    for line, column in sorted(missing, reverse=True):
        scalar = scalars.get((line, column))
        found = _WORD.match(lines[line], column)
        word = scalar.text if scalar else found.group() if found else ""
        if word and lines[line].startswith(word, column):  # else it goes on in the next line
            lines[line] = f"{lines[line][:column]}{_quoted(word)}{lines[line][column + len(word) :]}"
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return mark + "".join(line + end for line, end in zip(lines, [*breaks, ""], strict=False))


def _quoted(word: str) -> str:
    is_plain = '"' not in word and "\\" not in word
    return f'"{word}"' if is_plain else "'" + word.replace("'", "''") + "'"


def _scalars(root: Node | None) -> dict[tuple[int, int], Scalar]:
    """Every text of a file by the line and column of its beginning."""
    found: dict[tuple[int, int], Scalar] = {}
    waiting = [root] if root else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, Scalar):
            found[node.place.line, node.place.column] = node
        elif isinstance(node, Sequence):
            waiting += node.items
        elif isinstance(node, Mapping):
            waiting += [part for pair in node.entries for part in pair]
    return found
