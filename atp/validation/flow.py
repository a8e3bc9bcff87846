"""Walks the steps of a stage in order: E305, E401–E405, E504, W406, W407, W610."""

import ast

from atp.diagnostics import Hint, Place
from atp.model.steps import (
    Block,
    BlockAction,
    BreakAction,
    CallAction,
    Expression,
    LoopSource,
    SetAction,
    Stage,
    Step,
)
from atp.model.values import Arguments, Call, Reference, Value
from atp.resolution.facts import UNKNOWN, Fact, has_special
from atp.validation.checker import Checker
from atp.validation.constants import check_numbers
from atp.validation.flow_state import Artefact, Flow, names_made_in


def check_stage(checker: Checker, stage: Stage, read_from_outside: set[str]) -> None:
    """Checks one stage. `read_from_outside` are artefacts that other stages read as `$stage.name`."""
    model = checker.instance.model
    flow = Flow(stage.name, checker.problems, names_made_in(stage), frozenset(model.names))
    for given in stage.inputs:
        if given.name in flow.components:
            checker.problems.add("E405", given.place, None, name=given.name)
        flow.known[given.name] = Artefact(UNKNOWN, given.place)
        if given.default is not None:
            checker.value(given.default, None)
    _block(checker, flow, stage.block)
    for item in stage.outputs:
        flow.read(Reference(item.place, f"${item.name}", "artefact", (item.name,)))
    for name, place in flow.made.items():
        if name not in flow.read_names and name not in read_from_outside:
            checker.problems.add("W407", place, Hint("hint.drop"), name=name)


def _block(checker: Checker, flow: Flow, block: Block) -> None:
    nesting = flow.nesting
    flow.enter(len(block.contexts), block.place)
    _inside_of_block(checker, flow, block)
    flow.nesting = nesting


def _inside_of_block(checker: Checker, flow: Flow, block: Block) -> None:
    for context in block.contexts:
        _context(checker, flow, context)
    if block.loop is None:
        _steps(checker, flow, [*block.before, *block.each, *block.after])
        return
    _steps(checker, flow, block.before)
    item = _loop_source(checker, flow, block.loop)
    guard_depth, flow.guard_depth = flow.guard_depth, 0
    flow.loop_depth += 1
    flow.enter(1, block.loop.place)
    flow.make_output(block.loop.output, item)
    _steps(checker, flow, block.each)
    flow.nesting -= 1
    flow.loop_depth -= 1
    flow.guard_depth = guard_depth
    _steps(checker, flow, block.after)


def _loop_source(checker: Checker, flow: Flow, loop: LoopSource) -> Fact:
    source = loop.source
    if isinstance(source, Call):
        fact = checker.call(source, flow)
    else:
        fact = checker.reference(source, flow)
        if len(source.path) > 1 and source.kind != "library" and not source.is_called:
            return UNKNOWN
        if source.kind == "library":
            fact = _called(checker, source, fact)
    is_reference_to_inner = isinstance(source, Reference) and fact.inner is not None
    if is_reference_to_inner or not has_special(fact, "__iter__", "__getitem__"):
        label = "stage" if is_reference_to_inner else fact.label
        checker.problems.add("E203.iterate", loop.place, None, reference=_text(source), type=label)
    return UNKNOWN


def _context(checker: Checker, flow: Flow, context: Value) -> None:
    fact = checker.value(context, flow)
    if isinstance(context, Reference) and context.kind == "library":
        fact = _called(checker, context, fact)
    if isinstance(context, Reference | Call) and not has_special(fact, "__enter__"):
        checker.problems.add("E203.with", context.place, None, reference=_text(context), type=fact.label)


def _called(checker: Checker, reference: Reference, fact: Fact) -> Fact:
    """What a bare library name gives where it is called without arguments."""
    if not fact.is_known:
        return UNKNOWN
    return checker.called(fact, Call(reference.place, reference, Arguments(reference.place)), [], {})


def _text(value: Reference | Call) -> str:
    return value.text if isinstance(value, Reference) else value.reference.text


def _steps(checker: Checker, flow: Flow, steps: list[Step]) -> None:
    for step in steps:
        if step.condition is None:
            _action(checker, flow, step)
            continue
        _expression(checker, flow, step.condition)
        _warn_of_sync(checker, flow, step.condition)
        before = dict(flow.known)
        is_guarded = step.condition.uses("every")
        flow.condition_depth += 1
        flow.guard_depth += is_guarded
        _action(checker, flow, step)
        flow.guard_depth -= is_guarded
        after_yes, flow.known = flow.known, dict(before)
        _steps(checker, flow, step.otherwise)
        flow.condition_depth -= 1
        _join(flow, before, after_yes, step.condition.place)


def _join(flow: Flow, before: dict[str, Artefact], after_yes: dict[str, Artefact], place: Place) -> None:
    """What only one branch makes may be missing after both."""
    after_no = flow.known
    joined: dict[str, Artefact] = {}
    for name in {**after_no, **after_yes}:
        yes, no = after_yes.get(name), after_no.get(name)
        found = yes or no
        assert found is not None
        is_sure = yes is not None and no is not None and yes.maybe_since is None and no.maybe_since is None
        same_fact = found.fact if yes and no and yes.fact == no.fact else UNKNOWN
        earlier = before.get(name)
        since = (
            None if is_sure else (earlier.maybe_since if earlier and earlier.maybe_since is not None else place.line)
        )
        joined[name] = Artefact(same_fact if is_sure else UNKNOWN, found.place, since)
    flow.known = joined


def _action(checker: Checker, flow: Flow, step: Step) -> None:
    flow.enter(len(step.contexts), step.place)
    for context in step.contexts:
        _context(checker, flow, context)
    _inside_of_action(checker, flow, step)
    flow.nesting -= len(step.contexts)


def _inside_of_action(checker: Checker, flow: Flow, step: Step) -> None:
    action = step.action
    if isinstance(action, CallAction):
        errors_before = checker.problems.error_count()
        fact = checker.call(action.call, flow)
        is_sound = checker.problems.error_count() == errors_before
        flow.make_output(step.output, fact if is_sound else UNKNOWN)
    elif isinstance(action, SetAction):
        for item, expression in action.items:
            flow.make(item, _expression(checker, flow, expression))
    elif isinstance(action, BreakAction):
        _expression(checker, flow, action.condition)
        _warn_of_sync(checker, flow, action.condition)
        if flow.loop_depth == 0:
            checker.problems.add("E504", step.place, None, name="break")
    elif isinstance(action, BlockAction):
        _block(checker, flow, action.block)
    elif step.output is not None:
        for item in step.output.items:  # the call is in error; its outputs still count as made
            flow.make(item, UNKNOWN)


def _expression(checker: Checker, flow: Flow, expression: Expression) -> Fact:
    facts = [checker.reference(reference, flow) for reference in expression.references]
    tree = expression.tree
    if tree is None:
        return UNKNOWN
    check_numbers(expression, checker.instance.params, flow.condition_depth > 0, checker.problems)
    if flow.loop_depth == 0 and _uses_pass_count(tree):
        checker.problems.add("E504", expression.place, None, name="every")
    if isinstance(tree, ast.Constant) and tree.value is not None:
        return Fact(cls=type(tree.value))
    if isinstance(tree, ast.Name) and len(facts) == 1:
        return facts[0]
    tensor = next((fact for fact in facts if _is_tensor(fact)), None)
    if tensor and isinstance(tree, ast.BinOp | ast.UnaryOp):
        return Fact(cls=tensor.cls)
    return UNKNOWN


def _uses_pass_count(tree: ast.expr) -> bool:
    """`every(n)` counts passes of a loop; `every(n, $i)` counts what it is given."""
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "every"
        and len(node.args) == 1
        for node in ast.walk(tree)
    )


def _warn_of_sync(checker: Checker, flow: Flow, condition: Expression) -> None:
    """A condition on a tensor makes the host wait for the device; inside of every(n) that is rare enough."""
    if flow.loop_depth == 0 or flow.guard_depth or condition.uses("every") or condition.tree is None:
        return
    if _asks_identity_only(condition.tree):
        return
    for reference in condition.references:
        artefact = flow.known.get(reference.name) if reference.kind == "artefact" else None
        is_read = len(reference.path) == 1 or reference.path[1:] == ("item",)
        if artefact and is_read and _is_tensor(artefact.fact):
            checker.problems.add("W610", condition.place, None, stage=flow.stage, name=reference.name)


def _asks_identity_only(tree: ast.expr) -> bool:
    compares = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    return bool(compares) and all(isinstance(op, ast.Is | ast.IsNot) for node in compares for op in node.ops)


def _is_tensor(fact: Fact) -> bool:
    return fact.cls is not None and any(
        base.__name__ == "Tensor" and base.__module__.startswith("torch") for base in fact.cls.__mro__
    )
