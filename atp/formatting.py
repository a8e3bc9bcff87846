"""`atp fmt`: adds the quotes that YAML needs around `#…` and `@…`; changes nothing else."""

import re

from atp.diagnostics import Problems
from atp.reading.documents import read_document

_WORD = re.compile(r"[#@][\w./-]*(?::\w+)?(?:\(\))?")


def with_quotes(text: str, file: str) -> str:
    """The text with missing quotes added; the same text if nothing is missing or it cannot be read."""
    document = read_document(text, file, Problems())
    missing = {*document.repaired.hashes, *document.repaired.ats}
    if not missing:
        return text
    breaks = re.findall("\r\n|[\n\r\x85\u2028\u2029]", text)
    lines = list(document.lines)
    for line, column in sorted(missing, reverse=True):
        found = _WORD.match(lines[line], column)
        if found:
            word = found.group().rstrip(".")
            lines[line] = f'{lines[line][:column]}"{word}"{lines[line][column + len(word) :]}'
    return "".join(line + end for line, end in zip(lines, [*breaks, ""], strict=False))
