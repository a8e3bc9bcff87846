"""Steps, loops and the inside of a stage."""

from atp.diagnostics import Hint, Problems, name_hint
from atp.expressions import parse_expression
from atp.model.steps import (
    Action,
    Block,
    BlockAction,
    BreakAction,
    CallAction,
    Expression,
    LoopSource,
    Output,
    OutputItem,
    SetAction,
    Step,
)
from atp.model.values import Arguments, BrokenValue, Call, Reference, Value
from atp.names import RESERVED, is_name
from atp.parsing.references import is_reference, reference_from_text
from atp.parsing.values import parse_call, parse_value
from atp.reading.nodes import Mapping, Node, Scalar, Sequence

ACTIONS = ("set", "break", "process")
MODIFIERS = ("output", "if", "else", "with")
STEP_KEYS = (*ACTIONS, *MODIFIERS, "iterator")
PARTS = ("before", "each", "after")


def parse_steps(node: Node | None, problems: Problems) -> list[Step]:
    """A list of steps; nothing gives none."""
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return []
    if isinstance(node, Sequence):
        return [parse_step(item, problems) for item in node.items]
    problems.add("E502.list", node.place)
    return []


def parse_step(node: Node, problems: Problems) -> Step:
    """One step: a text or a mapping with one action and modifiers."""
    if isinstance(node, Scalar):
        return _text_step(node, problems)
    if isinstance(node, Sequence):
        problems.add("E502", node.place, Hint("hint.actions"), count=0)
        return Step(node.place, "?")
    calls: list[tuple[Scalar, Node]] = []
    keys: dict[str, Node] = {}
    for key, value in node.entries:
        if key.is_broken:
            continue
        if is_reference(key.text):
            calls.append((key, value))
        elif key.text in STEP_KEYS:
            keys[key.text] = value
        else:
            problems.add("E501", key.place, name_hint(key.text, STEP_KEYS), key=key.text)
    found = [key.text for key, _ in calls] + [name for name in ACTIONS if name in keys]
    if "iterator" in keys and "process" not in keys:
        found.append("iterator")
    step = Step(node.place, found[0] if found else "?")
    if len(found) != 1 or found == ["iterator"]:
        is_known = all(key.text in STEP_KEYS or is_reference(key.text) for key, _ in node.entries)
        if found or is_known:
            problems.add("E502", node.place, Hint("hint.actions"), count=len(found))
        return step
    _add_modifiers(step, keys, bool(calls), node, problems)
    step.action = _call_action(step, *calls[0], problems) if calls else _keyed_action(step, keys, problems)
    return step


def _text_step(node: Scalar, problems: Problems) -> Step:
    step = Step(node.place, node.text)
    if node.is_broken:
        return step
    if not isinstance(node.value, str) or not is_reference(node.text):
        hint = Hint("hint.value", {"name": node.text}) if node.text in ACTIONS else Hint("hint.actions")
        problems.add("E502", node.place, hint, count=0)
        return step
    reference = reference_from_text(node.text, node.place, problems)
    if reference:
        call = Call(node.place, _uncalled(reference), Arguments(node.place))
        step.action = CallAction(call)
    return step


def _uncalled(reference: Reference) -> Reference:
    """A step calls what it names, so `()` at its end says nothing more."""
    if not reference.is_called:
        return reference
    return Reference(reference.place, reference.text, reference.kind, reference.path)


def _call_action(step: Step, key: Scalar, value: Node, problems: Problems) -> Action | None:
    step.place = key.place
    call = parse_call(key, value, problems)
    if not isinstance(call, Call):
        return None
    return CallAction(Call(call.place, _uncalled(call.reference), call.arguments))


def _keyed_action(step: Step, keys: dict[str, Node], problems: Problems) -> Action | None:
    if "set" in keys:
        return _set_action(step, keys["set"], problems)
    if "break" in keys:
        expression = _condition(keys["break"], problems)
        step.place = expression.place
        return BreakAction(expression)
    step.label = "process"
    return BlockAction(parse_block(keys["process"], keys.get("iterator"), None, problems))


def _condition(node: Node, problems: Problems) -> Expression:
    """A condition; an empty one would silently never hold."""
    if isinstance(node, Scalar) and node.value is None and not node.is_broken:
        problems.add("E505", node.place, Hint("hint.expression"), text=node.text)
        return Expression(node.place, node.text, None)
    return parse_expression(node, problems)


def _set_action(step: Step, node: Node, problems: Problems) -> Action | None:
    if not isinstance(node, Mapping):
        problems.add("E502.set", node.place)
        return None
    items = [
        (OutputItem(key.text, key.place), parse_expression(value, problems))
        for key, value in node.entries
        if check_name(key, problems)
    ]
    step.label = "set " + ", ".join(item.name for item, _ in items)
    if items:
        step.place = items[0][0].place
    return SetAction(tuple(items))


def _add_modifiers(step: Step, keys: dict[str, Node], is_call: bool, node: Mapping, problems: Problems) -> None:
    if "output" in keys:
        if is_call:
            step.output = parse_output(keys["output"], problems)
        else:
            key = next(key for key, _ in node.entries if key.text == "output")
            problems.add("E501.output", key.place, None, action=step.label)
    if "if" in keys:
        step.condition = _condition(keys["if"], problems)
    if "else" in keys:
        step.otherwise = parse_steps(keys["else"], problems)
        if "if" not in keys:
            key = next(key for key, _ in node.entries if key.text == "else")
            problems.add("E501.else", key.place)
    if "with" in keys:
        step.contexts = parse_contexts(keys["with"], problems)


def parse_contexts(node: Node, problems: Problems) -> list[Value]:
    """One context manager or a list of them."""
    nodes = node.items if isinstance(node, Sequence) else [node]
    values = [parse_value(item, problems) for item in nodes]
    for value in values:
        if not isinstance(value, Reference | Call) and not isinstance(value, BrokenValue):
            problems.add("E502.context", value.place)
    return [value for value in values if isinstance(value, Reference | Call)]


def parse_block(process: Node, iterator: Node | None, contexts: Node | None, problems: Problems) -> Block:
    """The inside of a stage: a list of steps, or {before, each, after} around a loop."""
    block = Block(process.place)
    if iterator is not None:
        block.loop = parse_loop(iterator, problems)
    if contexts is not None:
        block.contexts = parse_contexts(contexts, problems)
    if not isinstance(process, Mapping):
        block.each = parse_steps(process, problems)
        return block
    for key, value in process.entries:
        if key.is_broken:
            continue
        if key.text not in PARTS:
            problems.add("E501.part", key.place, name_hint(key.text, PARTS), key=key.text)
            continue
        if iterator is None:
            problems.add("E503", key.place, None, key=key.text)
        setattr(block, key.text, parse_steps(value, problems))
    return block


def parse_loop(node: Node, problems: Problems) -> LoopSource | None:
    """`{"@loader": , output: [x, y]}`."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and is_reference(node.text):
        reference = reference_from_text(node.text, node.place, problems)
        return LoopSource(node.place, reference, None) if reference else None
    if not isinstance(node, Mapping):
        if not (isinstance(node, Scalar) and node.is_broken):
            problems.add("E502.iterator", node.place)
        return None
    calls = [(key, value) for key, value in node.entries if is_reference(key.text)]
    output: Output | None = None
    for key, value in node.entries:
        if key.text == "output":
            output = parse_output(value, problems)
        elif not is_reference(key.text) and not key.is_broken:
            problems.add("E501", key.place, name_hint(key.text, ("output",)), key=key.text)
    if len(calls) != 1:
        problems.add("E502.iterator", node.place)
        return None
    call = parse_call(*calls[0], problems)
    if not isinstance(call, Call):
        return None
    arguments = call.arguments
    if not (arguments.positional or arguments.named or arguments.is_help or arguments.is_broken):
        return LoopSource(call.place, call.reference, output)
    return LoopSource(call.place, call, output)


def parse_output(node: Node, problems: Problems) -> Output | None:
    """`n`, `[a, b]` or `{n: key}`."""
    if isinstance(node, Scalar):
        if not check_name(node, problems):
            return None
        return Output(node.place, "whole", (OutputItem(node.text, node.place),))
    items: list[OutputItem] = []
    if isinstance(node, Sequence):
        for item in node.items:
            if check_name(item, problems):
                assert isinstance(item, Scalar)
                items.append(OutputItem(item.text, item.place))
        is_whole = len(items) == len(node.items) and bool(items)
        return Output(node.place, "unpack", tuple(items)) if is_whole else None
    for key, value in node.entries:
        if not check_name(key, problems):
            continue
        if isinstance(value, Scalar) and isinstance(value.value, str | int) and not isinstance(value.value, bool):
            items.append(OutputItem(key.text, key.place, value.value))
        elif not (isinstance(value, Scalar) and value.is_broken):
            problems.add("E502.key", value.place, None, name=key.text)
    return Output(node.place, "pick", tuple(items)) if items else None


def check_name(node: Node, problems: Problems) -> bool:
    """Whether a node is a name of the language; `_` drops a value. E505.name or E405.reserved where not."""
    if isinstance(node, Scalar) and node.text in RESERVED:
        problems.add("E405.reserved", node.place, None, name=node.text)
        return False
    if isinstance(node, Scalar) and (node.text == "_" or is_name(node.text)):
        return True
    if isinstance(node, Scalar) and node.is_broken:
        return False
    problems.add("E505.name", node.place, None, name=node.text[:40] if isinstance(node, Scalar) else "…")
    return False
