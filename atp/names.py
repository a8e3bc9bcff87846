"""Names of the language: what may be a name, and the nearest legal one."""

import keyword
import re
from collections.abc import Iterable
from itertools import islice

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
RESERVED = frozenset({"params", "run", "loop"})
_CANDIDATES_MAX = 300
_NEAREST_LENGTH_MAX = 60  # longer words are not typing slips, and the distance is quadratic in the length


def is_name(text: str) -> bool:
    """A public name: letters, digits and `_`, no keyword of Python, no `_` at its start."""
    return bool(NAME.match(text)) and not text.startswith("_") and not keyword.iskeyword(text)


def nearest(name: str, legal: Iterable[str]) -> str | None:
    """The legal name at the smallest edit distance, None if none is near."""
    if len(name) > _NEAREST_LENGTH_MAX:
        return None
    limit = max(1, len(name) // 3)
    best: tuple[int, str] | None = None
    letters = set(name.lower())
    alike = (
        candidate
        for candidate in sorted(legal)
        if abs(len(candidate) - len(name)) <= limit
        and len(letters - set(candidate.lower())) <= limit
        and candidate != name
    )
    for candidate in islice(alike, _CANDIDATES_MAX):
        distance = edit_distance(name.lower(), candidate.lower())
        if distance <= limit and (best is None or distance < best[0]):
            best = (distance, candidate)
    return best[1] if best else None


def edit_distance(a: str, b: str) -> int:
    """Edit distance of two words; two neighbours swapped count as one edit."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        older, before, row = before, row, [i] + [0] * len(b)
        for j, right in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if older and i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]
