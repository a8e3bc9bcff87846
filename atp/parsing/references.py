"""Texts that begin with `#`, `@` or `$`."""

import re

from atp.diagnostics import Hint, Place, Problems
from atp.model.values import Reference, ReferenceKind
from atp.names import is_name

_FILE = re.compile(r"(?P<file>[^\s:]+\.ya?ml)(?::(?P<path>[A-Za-z_][\w.]*))?\Z")
_LENGTH_MAX = 300
_KINDS: dict[str, ReferenceKind] = {"#": "library", "@": "component", "$": "artefact"}


def is_reference(text: str) -> bool:
    """Whether a text begins with one single symbol; a doubled symbol is a literal."""
    return text[:1] in _KINDS and text[:1] != text[1:2]


def literal_text(text: str) -> str:
    """A doubled symbol becomes one."""
    return text[1:] if len(text) > 1 and text[0] in "#@$?" and text[0] == text[1] else text


def reference_from_text(text: str, place: Place, problems: Problems) -> Reference | None:
    """The reference that a text is. None where it cannot be read; the error is reported."""
    sign, rest = text[:1], text[1:]
    if len(text) > _LENGTH_MAX:
        problems.add("E505.reference", place, None, text=text[:40])
        return None
    if sign == "#":
        found = _FILE.match(rest)
        if found:
            path = tuple((found["path"] or "").split(".")) if found["path"] else ()
            if all(is_name(name) for name in path):
                return Reference(place, text, "file", path, file=found["file"])
            problems.add("E505.reference", place, None, text=text)
            return None
    is_called = rest.endswith("()") and sign != "#"
    path = tuple(rest.removesuffix("()").split(".")) if is_called else tuple(rest.split("."))
    private = next((name for name in path if name.startswith("_") and name.isidentifier()), None)
    if private is not None:
        if sign == "#":
            problems.add("E204", place, Hint("hint.private", {"name": private}), reference=text)
        else:
            problems.add("E505.private", place, None, text=text, name=private)
        return None
    # A library names things as Python allows; names of the file follow the rule of the language.
    is_sound = all(name.isidentifier() for name in path) and (sign == "#" or is_name(path[0]))
    if not is_sound:
        hint = Hint("hint.literal", {"text": sign + text}) if not re.match(r"[\w.]+\Z", rest) else None
        problems.add("E505.reference", place, hint, text=text)
        return None
    return Reference(place, text, _KINDS[sign], path, is_called)
