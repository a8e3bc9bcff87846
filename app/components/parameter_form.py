"""A form for typed parameters: one field each, grouped, with ranges enforced and shown."""

import math
from itertools import groupby

import streamlit as st

from app.format import plain
from app.i18n import language, t
from backend.contracts.parameters import Parameter, ParameterValue, ParameterValues

COLUMNS = 4
_SAFE_INTEGER = 2**53 - 1
"""Browsers count exactly up to here."""


def show(parameters: tuple[Parameter, ...], key: str) -> ParameterValues:
    """Draw the form and return what stands in it, by group and name."""
    values: ParameterValues = {}
    by_group = sorted(parameters, key=lambda p: [g.group for g in parameters].index(p.group))
    for group, members in groupby(by_group, key=lambda p: p.group):
        st.markdown(f"**{plain(group)}**")
        values[group] = _group(list(members), f"{key}_{group}")
    return values


def _group(members: list[Parameter], key: str) -> dict[str, ParameterValue]:
    values: dict[str, ParameterValue] = {}
    for start in range(0, len(members), COLUMNS):
        columns = st.columns(COLUMNS, vertical_alignment="bottom")
        for column, parameter in zip(columns, members[start : start + COLUMNS], strict=False):
            with column:
                values[parameter.name] = _field(parameter, f"{key}_{parameter.name}")
    for parameter in members:
        if not _has_valid_default(parameter):
            bad = t("parameters.bad_default", name=plain(parameter.name), value=plain(str(parameter.default)))
            st.caption(f":orange[{bad}]")
    return values


def _field(parameter: Parameter, key: str) -> ParameterValue:
    label, help_text, default = (
        _label(parameter),
        plain(parameter.description_in(language())) or None,
        parameter.default,
    )
    if parameter.type == "bool":
        return st.toggle(label, value=bool(default), key=key, help=help_text)
    if parameter.type == "choice" and parameter.choices:
        index = parameter.choices.index(str(default)) if default in parameter.choices else 0
        return st.selectbox(label, parameter.choices, index=index, key=key, help=help_text)
    if parameter.type in ("int", "float"):
        return _number(parameter, label, help_text, key)
    return st.text_input(label, value=str(default), key=key, help=help_text)


def _number(parameter: Parameter, label: str, help_text: str | None, key: str) -> int | float:
    low, high = _range(parameter)
    default = float(parameter.default) if isinstance(parameter.default, int | float) else 0.0
    inside = min(max(default, low), high)
    if parameter.type == "int":
        return st.number_input(
            label,
            math.ceil(low),
            math.floor(high),
            min(max(round(inside), math.ceil(low)), math.floor(high)),
            1,
            key=key,
            help=help_text,
        )
    bounds = (None if low == -math.inf else low, None if high == math.inf else high)
    return st.number_input(label, *bounds, inside, _step(inside), format="%g", key=key, help=help_text)


def _range(parameter: Parameter) -> tuple[float, float]:
    """The range to enforce; one that holds no value is the server's to refuse and enforces nothing here."""
    limit = float(_SAFE_INTEGER) if parameter.type == "int" else math.inf
    low = -limit if parameter.minimum is None else max(parameter.minimum, -limit)
    high = limit if parameter.maximum is None else min(parameter.maximum, limit)
    is_empty = math.ceil(low) > math.floor(high) if parameter.type == "int" else low > high
    return (-limit, limit) if is_empty else (low, high)


def _step(value: float) -> float:
    """A tenth of the value's leading digit: 0.001 moves by 0.0001, 5 by 0.1."""
    return 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.1


def _label(parameter: Parameter) -> str:
    name = plain(parameter.name)
    if parameter.minimum is None and parameter.maximum is None:
        return name
    low = "−∞" if parameter.minimum is None else f"{parameter.minimum:g}"
    high = "∞" if parameter.maximum is None else f"{parameter.maximum:g}"
    return f"{name} :gray[:small[{low} … {high}]]"


def _has_valid_default(parameter: Parameter) -> bool:
    if parameter.type == "choice":
        return parameter.default in parameter.choices
    if parameter.type in ("int", "float"):
        low, high = _range(parameter)
        return isinstance(parameter.default, int | float) and low <= parameter.default <= high
    return True
