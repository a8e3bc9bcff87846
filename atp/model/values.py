"""Values: constants, references, calls, lists and mappings."""

from dataclasses import dataclass, field
from typing import Literal

from atp.diagnostics import Place

ReferenceKind = Literal["library", "file", "component", "artefact"]


@dataclass(frozen=True, slots=True)
class Reference:
    """`#torch.nn.Linear`, `#dir/f.yaml:enc`, `@model.parameters()`, `$loss`."""

    place: Place
    text: str
    kind: ReferenceKind
    path: tuple[str, ...]
    is_called: bool = False
    file: str = ""

    @property
    def name(self) -> str:
        """The first name of the path: the component, the artefact."""
        return self.path[0] if self.path else ""

    def place_of(self, index: int) -> Place:
        """Where the name number `index` of the path is written."""
        offset = self.text.find(self.path[0]) + sum(len(name) + 1 for name in self.path[:index])
        quote = 1 if self.place.end_column - self.place.column == len(self.text) + 2 else 0
        return self.place.part(offset + quote, len(self.path[index]))


@dataclass(frozen=True, slots=True)
class ConstantValue:
    """A number, a text, true, false, null."""

    place: Place
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class ListValue:
    """A list of values."""

    place: Place
    items: "tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class MapValue:
    """A mapping of constants to values."""

    place: Place
    items: "tuple[tuple[ConstantValue, Value], ...]"


@dataclass(frozen=True, slots=True)
class BrokenValue:
    """An error is reported here already; nothing follows from it."""

    place: Place


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument given by name."""

    name: str
    place: Place
    value: "Value"


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a call passes. `is_help` is the question mark; `is_broken` means that an error is reported here."""

    place: Place
    positional: "tuple[Value, ...]" = ()
    named: tuple[Argument, ...] = ()
    is_help: bool = False
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A reference with arguments."""

    place: Place
    reference: Reference
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class OuterValue:
    """A value that an outer file puts in place of one of this file's; it is read in the outer file."""

    place: Place
    value: "Value"
    scope: object = field(compare=False)


Value = ConstantValue | Reference | ListValue | MapValue | BrokenValue | Call | OuterValue


def references_in(value: Value) -> list[Reference]:
    """Every reference inside a value, calls included."""
    found: list[Reference] = []
    waiting: list[Value] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Reference):
            found.append(part)
        elif isinstance(part, Call):
            found.append(part.reference)
        waiting += _parts_of(part)
    return found


def _parts_of(value: Value) -> list[Value]:
    if isinstance(value, Call):
        return [*value.arguments.positional, *(argument.value for argument in value.arguments.named)]
    if isinstance(value, ListValue):
        return list(value.items)
    if isinstance(value, MapValue):
        return [item for _, item in value.items]
    return []
