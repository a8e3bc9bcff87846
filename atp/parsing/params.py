"""The `params` section: `name: value`, `name: {value, type, min, …}`, or groups of them."""

import math
from typing import Any

from atp.diagnostics import Hint, Place, Problems, name_hint
from atp.messages import LANGUAGES
from atp.model.files import Param, ParamValue
from atp.names import is_name
from atp.parsing.references import is_reference, literal_text
from atp.reading.documents import read_document
from atp.reading.nodes import Mapping, Node, Scalar, Sequence
from atp.reading.scalars import scalar_value

PARAM_KEYS = ("value", "type", "min", "max", "choices", "doc")
PARAM_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
    "choice": (str, int, float, bool, type(None)),
    "list": (list,),
    "dict": (dict,),
    "null": (type(None),),
}


def parse_params(node: Node, problems: Problems) -> dict[str, Param]:
    """All parameters by `name` or `group.name`."""
    params: dict[str, Param] = {}
    if isinstance(node, Scalar) and node.value is None:
        return params
    if not isinstance(node, Mapping):
        problems.add("E505.params", node.place)
        return params
    for key, value in node.entries:
        if not _is_sound_name(key, problems):
            continue
        if isinstance(value, Mapping) and value.get("value") is None and value.entries:
            for inner_key, inner in value.entries:
                if _is_sound_name(inner_key, problems):
                    _add(params, (key.text, inner_key.text), inner_key.place, inner, problems)
        else:
            _add(params, (key.text,), key.place, value, problems)
    return params


def _is_sound_name(key: Scalar, problems: Problems) -> bool:
    if key.is_broken:
        return False
    if not is_name(key.text):
        problems.add("E505.name", key.place, None, name=key.text[:40])
        return False
    return True


def _add(params: dict[str, Param], path: tuple[str, ...], place: Place, node: Node, problems: Problems) -> None:
    described = node if isinstance(node, Mapping) and node.get("value") is not None else None
    if described is None:
        value = plain_value(node, problems)
        params[".".join(path)] = Param(path, node.place, value, type_name(value))
        return
    for key, _ in described.entries:
        if key.text not in PARAM_KEYS and not key.is_broken:
            problems.add("E501.param", key.place, name_hint(key.text, PARAM_KEYS), key=key.text)
    parts: dict[str, Any] = {
        key.text: plain_value(value, problems) for key, value in described.entries if key.text != "doc"
    }
    value_node = described.get("value")
    assert value_node is not None
    choices = parts.get("choices")
    param = Param(
        path,
        value_node.place,
        parts["value"],
        str(parts.get("type") or ("choice" if choices else type_name(parts["value"]))),
        _number(parts.get("min")),
        _number(parts.get("max")),
        tuple(choices) if isinstance(choices, list) else (),
        _doc(described.get("doc"), problems),
    )
    if param.type not in PARAM_TYPES:
        type_node = described.get("type")
        where = type_node.place if type_node else place
        problems.add("E305.type", where, name_hint(param.type, PARAM_TYPES), type=param.type)
        param.type = type_name(param.value)
    fault = fault_of(param, param.value)
    if fault:
        problems.add("E305", param.place, None, argument=param.name, expected=fault, given=described_value(param.value))
    elif param.type == "float" and isinstance(param.value, int):
        param.value = float_of(param.value)
    params[param.name] = param


def _doc(node: Node | None, problems: Problems) -> str | dict[str, str]:
    """A text, or a text by language."""
    if node is None or isinstance(node, Scalar):
        return str(plain_value(node, problems) or "") if node else ""
    if not isinstance(node, Mapping) or not node.entries:
        problems.add("E505.doc", node.place, Hint("hint.doc"))
        return ""
    texts: dict[str, str] = {}
    for key, value in node.entries:
        if key.is_broken or (isinstance(value, Scalar) and value.is_broken):
            continue
        if key.text not in LANGUAGES:
            problems.add("E501.language", key.place, name_hint(key.text, LANGUAGES), key=key.text)
        elif not isinstance(value, Scalar) or not isinstance(value.value, str):
            problems.add("E505.doc", value.place, Hint("hint.doc"))
        else:
            texts[key.text] = str(plain_value(value, problems) or "")
    return texts


def fault_of(param: Param, value: ParamValue) -> str | None:
    """What was expected instead of the value; None if the value fits the parameter."""
    is_bool_for_number = isinstance(value, bool) and param.type in ("int", "float")
    if param.type != "null" and (not isinstance(value, PARAM_TYPES[param.type]) or is_bool_for_number):
        return param.type
    if param.choices and value not in param.choices:
        return " | ".join(str(choice) for choice in param.choices)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if param.min is not None and not value >= param.min:
            return f">= {param.min:g}"
        if param.max is not None and not value <= param.max:
            return f"<= {param.max:g}"
    return None


def plain_value(node: Node, problems: Problems) -> ParamValue:
    """A value without references: parameters are constants."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and is_reference(node.text):
            problems.add("E505.constant", node.place, None, text=node.text)
            return None
        return literal_text(node.text) if isinstance(node.value, str) else node.value
    if isinstance(node, Sequence):
        return [plain_value(item, problems) for item in node.items]
    return {key.text: plain_value(value, problems) for key, value in node.entries}


def set_value(param: Param | None, text: str) -> ParamValue:
    """A value from a command line as the parameter takes it: `123` is a text for `str`, `[1, 2]` a list for `list`."""
    value: ParamValue = scalar_value(text)
    if param is not None and param.type in ("list", "dict"):
        problems = Problems()
        root = read_document(text, "", problems).root
        found = plain_value(root, problems) if root is not None else None
        return text if problems.has_errors else found
    is_text_wanted = param is not None and (
        param.type == "str" or (param.type == "choice" and value not in param.choices and text in param.choices)
    )
    return text if is_text_wanted else value


def type_name(value: object) -> str:
    """The type of a default."""
    return "null" if value is None else type(value).__name__


def described_value(value: object) -> str:
    """`str ('64')`: type and value, for a message."""
    if isinstance(value, str):
        return f"{type_name(value)} ({value[:40]!r})"
    return f"{type_name(value)} ({str(value)[:40]})"


def _number(value: object) -> float | None:
    return float_of(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def float_of(value: float) -> float:
    """As `float`, but a number beyond its range is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
