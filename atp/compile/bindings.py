"""Names at the entry of a compiled function: components, objects of libraries and inner files become locals."""

import ast
import copy
from dataclasses import dataclass, field

from atp.instances import Instance
from atp.model.values import Call, OuterValue, Reference, Value

_ALIASES_MAX = 50  # `a: "@b"`, `b: "@c"`, …


def inner_file(instance: Instance, name: str, depth: int = 0) -> Instance | None:
    """The file behind a component, if the component is one."""
    component = instance.components.get(name)
    return _file_of(component.value, instance, depth + 1) if component else None


def _file_of(value: Value, instance: Instance, depth: int) -> Instance | None:
    if depth > _ALIASES_MAX:
        return None
    if isinstance(value, OuterValue):
        assert isinstance(value.scope, Instance)
        return _file_of(value.value, value.scope, depth + 1)
    reference = value.reference if isinstance(value, Call) else value
    if not isinstance(reference, Reference):
        return None
    if reference.kind == "file":
        child = instance.child(reference)
        for name in reference.path:
            child = inner_file(child, name, depth) if child else None
        return child
    if reference.kind == "component" and isinstance(value, Reference):
        found: Instance | None = instance
        for name in reference.path:
            found = inner_file(found, name, depth) if found else None
        return found if found is not instance else None
    return None


@dataclass
class Bindings:
    """Locals of one function in the order of their first use: local name → expression that fetches it."""

    instance: Instance
    sources: dict[str, str] = field(default_factory=dict)
    objects: set[tuple[str, ...]] = field(default_factory=set)

    def library(self, reference: Reference) -> ast.expr:
        """An object of a library."""
        self.objects.add(reference.path)
        key = ".".join(reference.path)
        return self._local("_" + "_".join(reference.path), f"_objects[{key!r}]")

    def component(self, reference: Reference, is_called: bool) -> tuple[ast.expr, tuple[str, ...]]:
        """The component, and the part of the path that is attributes of it."""
        path = reference.path
        if reference.kind == "file":
            source = f"_files[{file_key(reference)!r}]"
            local, inner = "_file", self.instance.child(reference)
            rest = path
        else:
            source, local, rest = f"_components[{path[0]!r}]", path[0], path[1:]
            inner = inner_file(self.instance, path[0])
        while inner is not None and rest:
            source += f"[{rest[0]!r}]"
            local = ("" if local.startswith("_") else "_") + f"{local}_{rest[0]}"
            inner, rest = inner_file(inner, rest[0]), rest[1:]
        if inner is not None and is_called:
            source += ".main"
            local = ("" if local.startswith("_") else "_") + f"{local}_main"
        return self._local(local, source), rest

    def run(self) -> ast.expr:
        """The run information."""
        return ast.Name("_run", ast.Load())

    def statements(self) -> list[ast.stmt]:
        """The assignments at the entry."""
        return [
            ast.Assign([ast.Name(local, ast.Store())], without_places(ast.parse(source, mode="eval").body))
            for local, source in self.sources.items()
        ]

    def _local(self, wanted: str, source: str) -> ast.expr:
        local, number = wanted, 1
        while self.sources.get(local, source) != source:
            number += 1
            local = f"{wanted}_{number}"
        self.sources[local] = source
        return ast.Name(local, ast.Load())


def file_key(reference: Reference) -> str:
    """The key of a file that a process names itself."""
    return f"{reference.text}:{reference.place.line + 1}:{reference.place.column + 1}"


def without_places(tree: ast.expr) -> ast.expr:
    """A copy without lines and columns; they are given by the YAML file."""
    copied = copy.deepcopy(tree)
    for part in ast.walk(copied):
        for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
            if name in vars(part):
                delattr(part, name)
    return copied
