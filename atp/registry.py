"""Registered templates: `#core.NAME`. A template is a class or function with declared inputs and outputs (sockets)."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

_T = TypeVar("_T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Sockets:
    """What calling an object of a template takes and gives: name → type. A type of None fits anything."""

    inputs: Mapping[str, type | None] = field(default_factory=dict)
    outputs: Mapping[str, type | None] = field(default_factory=dict)


_templates: dict[str, Any] = {}
_sockets: dict[int, Sockets] = {}


def register(
    name: str, inputs: Mapping[str, type | None] | None = None, outputs: Mapping[str, type | None] | None = None
) -> Callable[[_T], _T]:
    """Make `#core.NAME` stand for a class or a function. Raises ValueError if the name is taken by another one."""

    def keep(target: _T) -> _T:
        if _templates.get(name, target) is not target:
            raise ValueError(f"template {name!r} is registered twice")
        _templates[name] = target
        _sockets[id(target)] = Sockets(inputs or {}, outputs or {})
        return target

    return keep


def template_names() -> list[str]:
    """All registered names. Imports atp.core, which registers what is shipped."""
    importlib.import_module("atp.core")
    return sorted(_templates)


def is_template_name(path: tuple[str, ...]) -> bool:
    """Whether a path is `core.NAME`; `core.a.b` is an ordinary import."""
    return len(path) == 2 and path[0] == "core"


def template(name: str) -> Any:
    """The registered class or function. Raises LookupFailureError (E202) with the nearest name."""
    names = template_names()
    if name in _templates:
        return _templates[name]
    from atp.diagnostics import name_hint
    from atp.resolution.library import LookupFailureError

    raise LookupFailureError("E202", {"holder": "core", "name": name}, name_hint(name, names))


def sockets_of(target: object) -> Sockets | None:
    """The sockets of a template, None for anything else."""
    return _sockets.get(id(target))
