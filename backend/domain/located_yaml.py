"""YAML and JSON that users hand in, read as nodes that know their line; nothing is constructed, nothing is expanded."""

import json
import re

import yaml

from backend.contracts.base import Problem
from backend.domain.errors import InvalidInputError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
_PLAIN_FLOAT = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
_SURROGATE = re.compile("[\ud800-\udfff]")
Scalar = bool | int | float | str | None


def compose(content: bytes, file: str) -> yaml.Node | None:
    """The root node of a YAML (or, by its name `.json`, JSON) file; None for an empty one.

    Raises InvalidInputError('file_unreadable') whose problem has the line: not UTF-8, bad syntax, over 256 KiB,
    nested deeper than 16, or anchors and aliases (a few lines of them can stand for gigabytes).
    """
    if len(content) > MAX_BYTES:
        raise _refusal("yaml_too_large", file, None, limit_kb=MAX_BYTES // 1024)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal("text_not_utf8", file, content[: error.start].count(b"\n") + 1) from None
    if file.endswith(".json"):
        text = _checked_json(text, file)
    try:
        _check_structure(text, file)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _refusal("yaml_syntax", file, mark.line + 1 if mark else None, detail=error.problem or "") from None
    except yaml.YAMLError as error:
        raise _refusal("yaml_syntax", file, None, detail=str(error)[:200]) from None


def scalar_value(node: yaml.ScalarNode) -> Scalar:
    """The value of a scalar as people mean it: `1e-3` is a number, a date stays text, `yes` is true."""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind in ("int", "float", "bool", "null"):
        try:
            value: Scalar = yaml.constructor.SafeConstructor().construct_object(node)
        except ValueError:
            return str(node.value)
        return value
    if kind == "str" and node.style is None and _PLAIN_FLOAT.match(node.value):
        return float(node.value)
    return str(node.value)


def line_of(node: yaml.Node) -> int:
    """The 1-based line where a node begins."""
    return node.start_mark.line + 1


def _checked_json(text: str, file: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise _refusal("yaml_syntax", file, error.lineno, detail=error.msg) from None
    except RecursionError:
        raise _refusal("yaml_too_deep", file, None, limit=MAX_DEPTH) from None
    # JSON is YAML except for tabs, which JSON allows between tokens only.
    return text.replace("\t", " ")


def _check_structure(text: str, file: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refusal("yaml_alias", file, _line_of_event(event))
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            # Written as an escape, half a surrogate pair passes YAML but no database and no page.
            raise _refusal("text_not_utf8", file, _line_of_event(event))
        if depth > MAX_DEPTH:
            raise _refusal("yaml_too_deep", file, _line_of_event(event), limit=MAX_DEPTH)


def _line_of_event(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _refusal(code: str, file: str, line: int | None, **params: object) -> InvalidInputError:
    return InvalidInputError("file_unreadable", [Problem(code=code, file=file, line=line, params=params)], file=file)
