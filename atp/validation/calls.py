"""Arguments against a signature: E301–E305 and E404."""

import inspect
from dataclasses import dataclass
from typing import Any

from atp.diagnostics import Hint, Place, Problems, name_hint
from atp.model.steps import Stage
from atp.model.values import Arguments, ConstantValue, Reference, Value
from atp.parsing.params import described_value
from atp.resolution.facts import (
    MISSING,
    Fact,
    annotations,
    call_target,
    constant_fits,
    declared_name,
    fact_of_thing,
    fits,
    signature,
    sockets,
)

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Given:
    """A value with what is known of it; `constant` is set (in a tuple) for a constant or a parameter."""

    value: Value
    place: Place
    fact: Fact
    constant: tuple[object] | None = None


def check_arguments(
    reference: Reference, fact: Fact, positional: list[Given], named: dict[str, tuple[Place, Given]], problems: Problems
) -> None:
    """Reports what a call of `fact` would refuse."""
    if fact.thing is range:  # says nothing of its arguments itself
        fact = fact_of_thing(_range_to if len(positional) < 2 else _range)
        _check_step(positional, problems)
    found = signature(fact)
    if found is None:
        return
    bound: dict[str, Given] = {}
    parameters = list(found.parameters.values())
    slots = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    takes_any = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    shown = Hint("hint.signature", {"signature": short_signature(found)})
    if len(positional) > len(slots) and not takes_any:
        problems.add("E304", positional[len(slots)].place, shown, reference=reference.text, count=len(slots))
        return
    for slot, given in zip(slots, positional, strict=False):
        bound[slot.name] = given
    _bind_named(reference, parameters, named, bound, shown, problems)
    for parameter in parameters:
        is_needed = parameter.default is inspect.Parameter.empty and parameter.kind not in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        if is_needed and parameter.name not in bound:
            problems.add("E302", reference.place, shown, reference=reference.text, name=parameter.name)
    _check_types(reference, fact, bound, problems)


def _range_to(stop: int, /) -> None:
    """How `range` is called with one argument."""


def _range(start: int, stop: int, step: int = 1, /) -> None:
    """How `range` is called with more."""


def _check_step(positional: list[Given], problems: Problems) -> None:
    for given in positional[2:3]:
        if given.constant == (0,):
            described = described_value(given.constant[0])
            problems.add("E305", given.place, None, argument="step", expected="!= 0", given=described)


def _bind_named(
    reference: Reference,
    parameters: list[inspect.Parameter],
    named: dict[str, tuple[Place, Given]],
    bound: dict[str, Given],
    shown: Hint,
    problems: Problems,
) -> None:
    by_name = {p.name: p for p in parameters if p.kind in (*_POSITIONAL[1:], inspect.Parameter.KEYWORD_ONLY)}
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    for name, (place, given) in named.items():
        if name in by_name and name in bound:
            problems.add("E304.twice", place, shown, reference=reference.text, name=name)
        elif name in by_name:
            bound[name] = given
        elif not takes_any:
            near = name_hint(name, by_name)
            hint = near if near and near.key == "hint.nearest" else shown
            problems.add("E301", place, hint, reference=reference.text, name=name)


def _check_types(reference: Reference, fact: Fact, bound: dict[str, Given], problems: Problems) -> None:
    declared = declared_types(fact)
    for name, given in bound.items():
        wanted = declared.get(name)
        if wanted is None or wanted is Any:
            continue
        if given.constant is not None:
            if not constant_fits(given.constant[0], wanted):
                problems.add(
                    "E305",
                    given.place,
                    None,
                    argument=name,
                    expected=declared_name(wanted),
                    given=described_value(given.constant[0]),
                )
        elif given.fact.cls is not None and isinstance(given.value, Reference):
            _check_artefact(reference, given, wanted, problems)


def _check_artefact(reference: Reference, given: Given, wanted: Any, problems: Problems) -> None:
    assert isinstance(given.value, Reference)
    cls = given.fact.cls
    is_plain_value = given.value.kind in ("artefact", "component") and given.fact.thing is MISSING
    if cls is not None and is_plain_value and not fits(cls, wanted):
        problems.add(
            "E404",
            given.place,
            None,
            name=given.value.text,
            given=cls.__name__,
            reference=reference.text,
            expected=declared_name(wanted),
        )


def declared_types(fact: Fact) -> dict[str, Any]:
    """Types of the parameters: sockets of a template first, annotations else."""
    target = call_target(fact)
    declared = dict(annotations(target)) if target is not None and target is not MISSING else {}
    declared.pop("return", None)
    is_object_of_template = not isinstance(fact.thing, type)
    declared_sockets = sockets(fact) if is_object_of_template else None
    if declared_sockets:
        declared |= {name: kind for name, kind in declared_sockets.inputs.items() if kind is not None}
    return declared


def check_stage_call(
    reference: Reference, stage: Stage, arguments: Arguments, positional: list[Given], problems: Problems
) -> None:
    """The same for a call of a stage of the language."""
    names = [given.name for given in stage.inputs]
    shown = Hint("hint.signature", {"signature": f"({', '.join(names)})"})
    if len(positional) > len(names):
        problems.add("E304", positional[len(names)].place, shown, reference=reference.text, count=len(names))
        return
    bound = set(names[: len(positional)])
    for argument in arguments.named:
        if argument.name in bound:
            problems.add("E304.twice", argument.place, shown, reference=reference.text, name=argument.name)
        elif argument.name in names:
            bound.add(argument.name)
        else:
            near = name_hint(argument.name, names) or shown
            problems.add("E301", argument.place, near, reference=reference.text, name=argument.name)
    for given in stage.inputs:
        if given.default is None and given.name not in bound:
            problems.add("E302", reference.place, shown, reference=reference.text, name=given.name)


def short_signature(found: inspect.Signature) -> str:
    """The names of the parameters, with defaults, cut to one line."""
    parts = []
    for parameter in found.parameters.values():
        plain = parameter.replace(annotation=inspect.Parameter.empty)
        parts.append(str(plain) if len(str(plain)) < 40 else parameter.name)
    text = f"({', '.join(parts)})"
    return text if len(text) <= 160 else text[:157] + "…)"


def is_constant(value: Value) -> bool:
    """Whether a value is a constant of the file."""
    return isinstance(value, ConstantValue)
