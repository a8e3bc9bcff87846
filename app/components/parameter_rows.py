"""Declared parameters as rows of an editable table, and back. Pure: what a declaration may say the backend decides."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from backend.contracts.base import Language
from backend.contracts.parameters import Description, Parameter, ParameterType, ParameterValue

COLUMNS = ("group", "name", "type", "default", "minimum", "maximum", "choices", "description", "descriptions")
"""`description` is in the page's language; `descriptions`, not shown, keeps the texts of both languages as JSON."""
DEFAULT_GROUP = "basic params"
_TRUE = frozenset({"true", "yes", "1", "да", "истина"})
_FALSE = frozenset({"false", "no", "0", "нет", "ложь", ""})


def rows_from_parameters(parameters: Iterable[Parameter], language: Language) -> list[dict[str, Any]]:
    """One row a parameter; the default is text, because one column holds values of every type."""
    return [
        {**parameter.model_dump(include=set(COLUMNS)), "default": _text(parameter.default)}
        | {"choices": list(parameter.choices), "description": parameter.description_in(language)}
        | {"descriptions": "" if isinstance(parameter.description, str) else json.dumps(parameter.description)}
        for parameter in parameters
    ]


def parameters_from_rows(
    rows: Iterable[Mapping[str, Any]], language: Language
) -> tuple[tuple[Parameter, ...], tuple[int, ...]]:
    """Parameters, and the 1-based number of the row each came from; rows without a name, type and default are skipped.

    A default that is no value of its type stays text, so that the backend can say what is wrong with it.
    """
    parameters, numbers = [], []
    for number, row in enumerate(rows, start=1):
        name, kind, default = _cell(row, "name"), _cell(row, "type") or "str", _cell(row, "default")
        if not name and not default and not _cell(row, "description"):
            continue
        parameters.append(
            Parameter(
                group=_cell(row, "group") or DEFAULT_GROUP,
                name=name,
                type=kind,
                default=_value(default, kind),
                minimum=_number(row.get("minimum")),
                maximum=_number(row.get("maximum")),
                choices=tuple(str(choice) for choice in _list(row.get("choices"))),
                description=_description(row, language),
            )
        )
        numbers.append(number)
    return tuple(parameters), tuple(numbers)


def _description(row: Mapping[str, Any], language: Language) -> Description:
    """What was typed replaces the text of the page's language; that of the other one stays."""
    typed, kept = _cell(row, "description"), _cell(row, "descriptions")
    if not kept:
        return typed
    parameter = Parameter(name="", type="str", default="", description=json.loads(kept))
    if typed == parameter.description_in(language).strip():
        return parameter.description
    texts = {one: text for one, text in {**parameter.description, language: typed}.items() if text}
    return texts or ""


def _text(value: ParameterValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(text: str, kind: ParameterType) -> ParameterValue:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text.replace(",", "."))  # a Russian keyboard writes 0,01
    except ValueError:
        return text
    if kind == "bool":
        lower = text.lower()
        return True if lower in _TRUE else False if lower in _FALSE else text
    return text


def _cell(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()


def _number(value: Any) -> float | None:
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else float(value)


def _list(value: Any) -> list[Any]:
    """An empty cell of a list column comes as None or as NaN."""
    return [] if value is None or isinstance(value, float) else list(value)
