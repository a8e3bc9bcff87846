"""YAML nodes with their places."""

from dataclasses import dataclass, field

from atp.diagnostics import Place
from atp.reading.scalars import Constant


@dataclass(slots=True)
class Scalar:
    """A leaf. `text` is as written for a plain scalar, unescaped for a quoted one."""

    place: Place
    text: str
    value: Constant
    is_quoted: bool = False
    is_broken: bool = False  # an alias, a key that is not a scalar: an error is reported, nothing follows from it


@dataclass(slots=True)
class Sequence:
    """A list of nodes."""

    place: Place
    items: "list[Node]" = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Pairs in the order of the file. Keys are scalars."""

    place: Place
    entries: "list[tuple[Scalar, Node]]" = field(default_factory=list)

    def get(self, key: str) -> "Node | None":
        """The value of a key, None if it is not there."""
        return next((node for name, node in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping
