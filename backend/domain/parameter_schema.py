"""Rules of typed parameters: what may be declared, and which values a run may get."""

import difflib
import math
from collections.abc import Iterable

from backend.contracts.base import Problem
from backend.contracts.parameters import Parameter, ParameterSchema, ParameterValue, ParameterValues
from backend.domain.errors import InvalidInputError

MAX_PARAMETERS = 500
MAX_NAME = 100
MAX_TEXT = 10_000
MAX_CHOICES = 200
MAX_WHOLE = 2**53
"""Whole numbers up to here survive JSON, browsers and MongoDB alike."""


def check_schema(schema: ParameterSchema) -> None:
    """Raise InvalidInputError('parameters_declared_badly') with every fault of a declaration."""
    problems = [*schema_problems("train", schema.train), *schema_problems("test", schema.test)]
    if problems:
        raise InvalidInputError("parameters_declared_badly", problems)


def schema_problems(kind: str, parameters: Iterable[Parameter]) -> list[Problem]:
    """Faults of the parameters of one launch file; `kind` is train or test."""
    problems: list[Problem] = []
    seen: set[tuple[str, str]] = set()
    for number, parameter in enumerate(parameters, start=1):
        if number > MAX_PARAMETERS:
            return [*problems, Problem(code="parameters_too_many", params={"kind": kind, "limit": MAX_PARAMETERS})]
        if (parameter.group, parameter.name) in seen:
            problems.append(_problem("parameter_twice", kind, parameter))
        seen.add((parameter.group, parameter.name))
        problems.extend(parameter_problems(kind, parameter))
    return problems


def parameter_problems(kind: str, parameter: Parameter) -> list[Problem]:
    """Faults of one parameter: names, limits, choices, and whether the default obeys them."""
    problems = [
        _problem("parameter_name_bad", kind, parameter, limit=MAX_NAME)
        for name in (parameter.group, parameter.name)
        if not _is_name(name)
    ][:1]
    limits = [limit for limit in (parameter.minimum, parameter.maximum) if limit is not None]
    if limits and parameter.type not in ("int", "float"):
        problems.append(_problem("parameter_limits_need_number", kind, parameter, type=parameter.type))
    elif not all(math.isfinite(limit) for limit in limits) or (len(limits) == 2 and limits[0] > limits[1]):
        problems.append(_problem("parameter_limits_bad", kind, parameter, range=range_text(parameter)))
    if parameter.choices and parameter.type != "choice":
        problems.append(_problem("parameter_choices_need_choice", kind, parameter, type=parameter.type))
    elif parameter.type == "choice" and not _are_choices(parameter.choices):
        problems.append(_problem("parameter_choices_bad", kind, parameter, limit=MAX_CHOICES))
    if parameter.description == {}:
        problems.append(_problem("parameter_description_empty", kind, parameter))
    if problems:
        return problems
    fault = _value_fault(parameter, parameter.default)
    return [] if fault is None else [_problem(fault, kind, parameter, **_value_params(parameter, parameter.default))]


def completed_parameter(parameter: Parameter) -> Parameter:
    """The parameter with its default in its own type: a float declared as `1` gets 1.0."""
    return parameter.model_copy(update={"default": _typed(parameter, parameter.default)})


def validate_values(parameters: Iterable[Parameter], values: ParameterValues) -> ParameterValues:
    """Values of a run: each declared parameter in its type, defaults where `values` has none.

    Raises InvalidInputError('parameters_invalid') with every fault: a value of the wrong type, out of its range, not
    among its choices, or given for a parameter that is not declared (the nearest declared name is proposed).
    """
    declared = {(p.group, p.name): p for p in parameters}
    problems: list[Problem] = []
    for group, of_group in values.items():
        for name, value in of_group.items():
            parameter = declared.get((group, name))
            if parameter is None:
                problems.append(_unknown(group, name, declared))
            elif fault := _value_fault(parameter, value):
                params = {"group": group, "name": name, **_value_params(parameter, value)}
                problems.append(Problem(code=fault, params=params))
    if problems:
        raise InvalidInputError("parameters_invalid", problems)
    completed: ParameterValues = {}
    for (group, name), parameter in declared.items():
        value = values.get(group, {}).get(name, parameter.default)
        completed.setdefault(group, {})[name] = _typed(parameter, value)
    return completed


def range_text(parameter: Parameter) -> str:
    """The allowed range in signs that need no translation: `1 … 100`, `≥ 0`, `≤ 1`, or empty."""
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        return f"{low:g} … {high:g}"
    if low is not None:
        return f"≥ {low:g}"
    return f"≤ {high:g}" if high is not None else ""


def _value_fault(parameter: Parameter, value: ParameterValue) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if parameter.type in ("int", "float"):
        if not is_number or not math.isfinite(value):  # type: ignore[arg-type]
            return "parameter_not_number"
        number = float(value)
        if parameter.type == "int" and (number != int(number) or abs(number) > MAX_WHOLE):
            return "parameter_not_whole"
        too_low = parameter.minimum is not None and number < parameter.minimum
        too_high = parameter.maximum is not None and number > parameter.maximum
        return "parameter_out_of_range" if too_low or too_high else None
    if parameter.type == "bool":
        return None if isinstance(value, bool) else "parameter_not_bool"
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
        return "parameter_not_text"
    return "parameter_not_a_choice" if parameter.type == "choice" and value not in parameter.choices else None


def _typed(parameter: Parameter, value: ParameterValue) -> ParameterValue:
    if parameter.type == "int":
        return int(value)
    return float(value) if parameter.type == "float" else value


def _value_params(parameter: Parameter, value: ParameterValue) -> dict[str, object]:
    return {
        "value": str(value)[:60],
        "range": range_text(parameter),
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "choices": ", ".join(parameter.choices),
    }


def _unknown(group: str, name: str, declared: dict[tuple[str, str], Parameter]) -> Problem:
    full_names = [f"{known_group} / {known}" for known_group, known in declared]
    nearest = difflib.get_close_matches(f"{group} / {name}", full_names, 1)
    params = {"group": group[:MAX_NAME], "name": name[:MAX_NAME], "known": ", ".join(full_names)[:500]}
    if nearest:
        return Problem(code="parameter_unknown_nearest", params=params | {"nearest": nearest[0]})
    return Problem(code="parameter_unknown", params=params)


def _is_name(name: str) -> bool:
    # MongoDB and Hydra give `$` a meaning at the start of a name.
    return 0 < len(name) <= MAX_NAME and name == name.strip() and name.isprintable() and not name.startswith("$")


def _are_choices(choices: tuple[str, ...]) -> bool:
    return 0 < len(choices) <= MAX_CHOICES and len(set(choices)) == len(choices) and all(choices)


def _problem(code: str, kind: str, parameter: Parameter, **params: object) -> Problem:
    return Problem(code=code, params={"kind": kind, "group": parameter.group, "name": parameter.name, **params})
