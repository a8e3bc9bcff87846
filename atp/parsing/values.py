"""Values and arguments."""

import re

from atp.diagnostics import Place, Problems
from atp.model.values import (
    Argument,
    Arguments,
    BrokenValue,
    Call,
    ConstantValue,
    ListValue,
    MapValue,
    Value,
)
from atp.parsing.references import is_reference, literal_text, reference_from_text
from atp.reading.nodes import Mapping, Node, Scalar, Sequence


def parse_value(node: Node, problems: Problems) -> Value:
    """A value: constant, reference, call, list or mapping."""
    if isinstance(node, Scalar):
        return _scalar(node, problems)
    if isinstance(node, Sequence):
        return ListValue(node.place, tuple(parse_value(item, problems) for item in node.items))
    keys = [key for key, _ in node.entries if not key.is_broken and is_reference(key.text)]
    if not keys:
        return MapValue(
            node.place,
            tuple((_constant(key), parse_value(value, problems)) for key, value in node.entries if not key.is_broken),
        )
    extra = next((key for key, _ in node.entries if key is not keys[0]), None)
    if extra is not None:
        problems.add("E502.call", extra.place, None, reference=keys[0].text, key=extra.text)
        return BrokenValue(node.place)
    key, value = node.entries[0]
    return parse_call(key, value, problems)


def parse_call(key: Scalar, value: Node, problems: Problems) -> Value:
    """The call that a reference key and its arguments make."""
    reference = reference_from_text(key.text, key.place, problems)
    arguments = parse_arguments(value, problems)
    if reference is None:
        return BrokenValue(key.place)
    return Call(key.place, reference, arguments)


def parse_arguments(node: Node, problems: Problems) -> Arguments:
    """Arguments: nothing, one value, a list, or a mapping by name with digits for positions."""
    if isinstance(node, Scalar):
        if node.is_broken:
            return Arguments(node.place, is_broken=True)
        if node.value is None and not node.is_quoted:
            return Arguments(node.place)
        if node.text == "?":
            return Arguments(node.place, is_help=True)
        return Arguments(node.place, (parse_value(node, problems),))
    if isinstance(node, Sequence):
        return Arguments(node.place, tuple(parse_value(item, problems) for item in node.items))
    if any(is_reference(key.text) for key, _ in node.entries):
        return Arguments(node.place, (parse_value(node, problems),))
    return _by_name(node, problems)


def _by_name(node: Mapping, problems: Problems) -> Arguments:
    positions: dict[int, tuple[Place, Value]] = {}
    named: list[Argument] = []
    is_broken = False
    for key, value_node in node.entries:
        if key.is_broken:
            is_broken = True
            continue
        value = parse_value(value_node, problems)
        digits = re.match(r"\d{1,6}", key.text)
        if not digits:
            named.append(Argument(key.text, key.place, value))
        elif int(digits.group()) in positions:
            problems.add("E303.twice", key.place, None, position=int(digits.group()))
            is_broken = True
        else:
            positions[int(digits.group())] = (key.place, value)
    gap = next((number for number in range(len(positions)) if number not in positions), None)
    if gap is not None:
        beyond = min(number for number in positions if number > gap)
        problems.add("E303", positions[beyond][0], None, missing=gap)
        return Arguments(node.place, is_broken=True)
    ordered = tuple(positions[number][1] for number in sorted(positions))
    return Arguments(node.place, ordered, tuple(named), is_broken=is_broken)


def _scalar(node: Scalar, problems: Problems) -> Value:
    if node.is_broken:
        return BrokenValue(node.place)
    if isinstance(node.value, str) and is_reference(node.text):
        return reference_from_text(node.text, node.place, problems) or BrokenValue(node.place)
    return _constant(node)


def _constant(node: Scalar) -> ConstantValue:
    return ConstantValue(node.place, literal_text(node.text) if isinstance(node.value, str) else node.value)
