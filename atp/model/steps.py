"""Steps and stages."""

import ast
from collections.abc import Iterator as Iterable
from dataclasses import dataclass, field
from typing import Literal

from atp.diagnostics import Place
from atp.model.values import Call, Reference, Value, references_in


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. In `tree` the name `_rN` stands for `references[N]`; None if it could not be read."""

    place: Place
    text: str
    tree: ast.expr | None
    references: tuple[Reference, ...] = ()

    def uses(self, function: str) -> bool:
        """Whether a function is called in it."""
        return self.tree is not None and any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
            for node in ast.walk(self.tree)
        )


@dataclass(frozen=True, slots=True)
class OutputItem:
    """One name that gets a value. `key` is set where an item is picked."""

    name: str
    place: Place
    key: str | int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """Where a result goes: whole, unpacked (exact count), or items picked by key."""

    place: Place
    kind: Literal["whole", "unpack", "pick"]
    items: tuple[OutputItem, ...]


@dataclass(frozen=True, slots=True)
class CallAction:
    """Call something."""

    call: Call


@dataclass(frozen=True, slots=True)
class SetAction:
    """Compute artefacts."""

    items: tuple[tuple[OutputItem, Expression], ...]


@dataclass(frozen=True, slots=True)
class BreakAction:
    """Leave the innermost loop when true."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class LoopSource:
    """What a block iterates. A reference alone is iterated itself, a call or dotted path is called once."""

    place: Place
    source: Reference | Call
    output: Output | None


@dataclass(slots=True)
class Block:
    """The inside of a stage. Without `loop` only `each` has steps and they run once."""

    place: Place
    loop: LoopSource | None = None
    before: "list[Step]" = field(default_factory=list)
    each: "list[Step]" = field(default_factory=list)
    after: "list[Step]" = field(default_factory=list)
    contexts: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BlockAction:
    """An inline stage."""

    block: Block


Action = CallAction | SetAction | BreakAction | BlockAction


@dataclass(slots=True)
class Step:
    """One step: an action with its modifiers. `action` is None where an error is reported."""

    place: Place
    label: str
    action: Action | None = None
    output: Output | None = None
    condition: Expression | None = None
    otherwise: "list[Step]" = field(default_factory=list)
    contexts: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StageInput:
    """One input of a stage; `default` None means that it is required."""

    name: str
    place: Place
    default: Value | None = None


@dataclass(slots=True)
class Stage:
    """A named process."""

    name: str
    place: Place
    block: Block
    inputs: list[StageInput] = field(default_factory=list)
    outputs: list[OutputItem] = field(default_factory=list)
    is_output_list: bool = False
    doc: str = ""


def steps_in(block: Block) -> "Iterable[Step]":
    """Every step of a block and of the blocks inside it, in the order of the file."""
    for steps in (block.before, block.each, block.after):
        yield from _steps_of(steps)


def _steps_of(steps: list[Step]) -> "Iterable[Step]":
    for step in steps:
        yield step
        if isinstance(step.action, BlockAction):
            yield from steps_in(step.action.block)
        yield from _steps_of(step.otherwise)


def blocks_in(block: Block) -> "Iterable[Block]":
    """A block and every block inside it."""
    yield block
    for step in steps_in(block):
        if isinstance(step.action, BlockAction):
            yield step.action.block


@dataclass(frozen=True, slots=True)
class Mention:
    """A reference in a block: whether its step runs at every pass of a loop, whether a loop iterates it."""

    reference: Reference
    is_in_loop: bool
    is_iterated: bool = False


def mentions_in(block: Block, is_in_loop: bool = False) -> "Iterable[Mention]":
    """Every reference in the contexts, loops and steps of a block, in the order in which they run."""
    for context in block.contexts:
        yield from (Mention(reference, is_in_loop) for reference in references_in(context))
    yield from _mentions_of(block.before, is_in_loop)
    if block.loop:
        yield from (Mention(reference, is_in_loop, True) for reference in references_in(block.loop.source))
    yield from _mentions_of(block.each, is_in_loop or block.loop is not None)
    yield from _mentions_of(block.after, is_in_loop)


def _mentions_of(steps: list[Step], is_in_loop: bool) -> "Iterable[Mention]":
    for step in steps:
        yield from (Mention(reference, is_in_loop) for reference in _references_of_step(step))
        if isinstance(step.action, BlockAction):
            yield from mentions_in(step.action.block, is_in_loop)
        yield from _mentions_of(step.otherwise, is_in_loop)


def _references_of_step(step: Step) -> "Iterable[Reference]":
    for context in step.contexts:
        yield from references_in(context)
    if step.condition:
        yield from step.condition.references
    if isinstance(step.action, CallAction):
        yield from references_in(step.action.call)
    elif isinstance(step.action, SetAction):
        for _, expression in step.action.items:
            yield from expression.references
    elif isinstance(step.action, BreakAction):
        yield from step.action.condition.references


def references_of(stage: Stage) -> "Iterable[Reference]":
    """Every reference that the inputs, steps, contexts and loops of a stage mention."""
    for given in stage.inputs:
        if given.default is not None:
            yield from references_in(given.default)
    yield from (mention.reference for mention in mentions_in(stage.block))
