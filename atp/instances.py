"""Files put together: a file with its parameters and replaced components, and the files that it uses."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from atp.diagnostics import Place, Problems, name_hint
from atp.model.files import Component, FileModel, ParamValue
from atp.model.steps import references_of
from atp.model.values import (
    Argument,
    Arguments,
    BrokenValue,
    Call,
    ConstantValue,
    ListValue,
    MapValue,
    OuterValue,
    Reference,
    Value,
    references_in,
)
from atp.parsing.files import parse_file
from atp.parsing.params import described_value, fault_of, float_of
from atp.resolution.library import Library
from atp.resolution.project_files import FILE_BYTES_MAX, FileProblemError, find_file, read_text
from atp.settings import Settings

DEPTH_MAX = 12
INSTANCES_MAX = 500


@dataclass(eq=False)
class Instance:
    """One use of a file. `components` and `params` have the replacements of the outer file already."""

    model: FileModel
    path: Path
    components: dict[str, Component]
    params: dict[str, ParamValue]
    outer: "Instance | None" = None
    children: "dict[Place, Instance | None]" = field(default_factory=dict)

    def child(self, reference: Reference) -> "Instance | None":
        """The instance that a file reference of this file stands for; None if it is in error."""
        return self.children.get(reference.place)

    def all_instances(self) -> "list[Instance]":
        """This one and everything inside it."""
        found = [self]
        for child in self.children.values():
            if child:
                found += child.all_instances()
        return found


class Workspace:
    """Reads files and makes instances. Errors go to `problems`."""

    def __init__(self, settings: Settings, main: Path) -> None:
        self.settings = settings
        roots = tuple(dict.fromkeys((settings.root, main.resolve().parent)))
        self.library = Library(roots, settings.allow)
        self.problems = Problems()
        self.sources: dict[str, tuple[str, ...]] = {}
        self._models: dict[Path, FileModel] = {}
        self._shown_root = main.parent
        self._real_root = main.resolve().parent
        self._count = 0

    def open_main(self, path: Path, text: str, overrides: dict[str, ParamValue]) -> Instance:
        """The instance of the main file."""
        model = self._model(path.resolve(), text, str(path))
        instance = Instance(model, path.resolve(), dict(model.components), {})
        instance.params = {name: param.value for name, param in model.params.items()}
        for name, value in overrides.items():
            param = model.params.get(name)
            self._override(instance, name, value, param.place if param else Place(model.file, 0, 0, 1))
        self._open_children(instance, (instance.path,))
        return instance

    def _model(self, path: Path, text: str, shown: str) -> FileModel:
        if path not in self._models:
            problems = Problems()
            model = parse_file(text, shown, problems)
            self.problems.extend(problems.sorted())
            self._models[path] = model
            self.sources[shown] = model.lines
        return self._models[path]

    def _shown_name(self, path: Path) -> str:
        """As a user would write it: from the folder of the main file as it was given."""
        return os.path.normpath(self._shown_root / os.path.relpath(path, self._real_root))

    def _open_children(self, instance: Instance, chain: tuple[Path, ...]) -> None:
        for component in instance.components.values():
            self._open_in(component.value, instance, chain)
        for stage in instance.model.stages.values():
            for reference in references_of(stage):
                if reference.kind == "file" and reference.place not in instance.children:
                    self._open_reference(reference, None, instance, chain)

    def _open_in(self, value: Value, instance: Instance, chain: tuple[Path, ...]) -> None:
        if isinstance(value, Call):
            if value.reference.kind == "file":
                self._open_reference(value.reference, value.arguments, instance, chain)
            for part in (*value.arguments.positional, *(named.value for named in value.arguments.named)):
                self._open_in(part, instance, chain)
        elif isinstance(value, Reference):
            if value.kind == "file":
                self._open_reference(value, None, instance, chain)
        elif isinstance(value, ListValue):
            for item in value.items:
                self._open_in(item, instance, chain)
        elif isinstance(value, MapValue):
            for _, item in value.items:
                self._open_in(item, instance, chain)

    def _open_reference(
        self, reference: Reference, arguments: Arguments | None, instance: Instance, chain: tuple[Path, ...]
    ) -> None:
        instance.children[reference.place] = None
        try:
            path = find_file(reference.file, instance.path, self.settings.root)
            text = read_text(path)
        except FileProblemError as problem:
            self.problems.add(
                problem.key,
                reference.place,
                None,
                file=reference.file,
                reference=reference.text,
                what="limit.bytes",
                most=FILE_BYTES_MAX,
            )
            return
        if path in chain:
            names = [self._shown_name(file) for file in (*chain[chain.index(path) :], path)]
            self.problems.add("E206", reference.place, None, chain=" -> ".join(names))
            return
        self._count += 1
        if len(chain) > DEPTH_MAX:
            self.problems.add("E100.limit", reference.place, None, what="limit.nested_files", most=DEPTH_MAX)
            return
        if self._count > INSTANCES_MAX:
            self.problems.add("E100.limit", reference.place, None, what="limit.files", most=INSTANCES_MAX)
            return
        model = self._model(path, text, self._shown_name(path))
        child = Instance(model, path, dict(model.components), {}, instance)
        child.params = {name: param.value for name, param in model.params.items()}
        if arguments:
            self._replace(child, reference, arguments, instance)
        instance.children[reference.place] = child
        self._open_children(child, (*chain, path))

    def _replace(self, child: Instance, reference: Reference, arguments: Arguments, outer: Instance) -> None:
        for extra in arguments.positional:
            self.problems.add("E304", extra.place, None, reference=reference.text, count=0)
        for argument in arguments.named:
            first, _, rest = argument.name.partition(".")
            if first == "params" and rest:
                value, is_constant = _constant_in(argument.value, outer)
                missing = _missing_param(argument.value, outer)
                if missing:
                    hint = name_hint(missing, [f"params.{name}" for name in outer.params], "@")
                    self.problems.add("E201", argument.value.place, hint, name=missing)
                elif is_constant:
                    self._override(child, rest, value, argument.place, argument.value.place)
                else:
                    self.problems.add("E505.constant", argument.value.place, None, text=argument.name)
                continue
            component = child.components.get(first)
            outer_value = OuterValue(argument.value.place, argument.value, outer)
            if component is None:
                legal = [*child.components, *(f"params.{name}" for name in child.params)]
                hint = name_hint(argument.name, legal)
                self.problems.add("E301", argument.place, hint, reference=reference.text, name=argument.name)
            elif not rest:
                child.components[first] = replace(component, value=outer_value)
            else:
                changed = _with_argument(component.value, rest.split("."), argument.place, outer_value)
                if changed is None:
                    self.problems.add("E301", argument.place, None, reference=reference.text, name=argument.name)
                else:
                    child.components[first] = replace(component, value=changed)

    def _override(
        self, instance: Instance, name: str, value: ParamValue, place: Place, value_place: Place | None = None
    ) -> None:
        param = instance.model.params.get(name)
        if param is None:
            hint = name_hint(name, instance.model.params)
            self.problems.add("E301", place, hint, reference="params", name=name)
            return
        fault = fault_of(param, value)
        if fault:
            where, given = value_place or place, described_value(value)
            self.problems.add("E305", where, None, argument=name, expected=fault, given=given)
        else:
            instance.params[name] = float_of(value) if param.type == "float" and isinstance(value, int) else value


def _constant_in(value: Value, outer: Instance) -> tuple[ParamValue, bool]:
    """A constant or a parameter of the outer file as a plain value."""
    if isinstance(value, OuterValue):
        assert isinstance(value.scope, Instance)
        return _constant_in(value.value, value.scope)
    if isinstance(value, ConstantValue):
        return value.value, True
    if isinstance(value, ListValue):
        parts = [_constant_in(item, outer) for item in value.items]
        return [part for part, _ in parts], all(is_constant for _, is_constant in parts)
    if isinstance(value, MapValue):
        pairs = [(str(key.value), _constant_in(item, outer)) for key, item in value.items]
        return {key: part for key, (part, _) in pairs}, all(is_constant for _, (_, is_constant) in pairs)
    if isinstance(value, Reference) and value.kind == "component" and value.name == "params" and not value.is_called:
        name = ".".join(value.path[1:])
        return outer.params.get(name), name in outer.params
    return None, isinstance(value, BrokenValue)


def _missing_param(value: Value, outer: Instance) -> str | None:
    """The name of a parameter that is mentioned and that the outer file does not have."""
    if not isinstance(value, Reference) or value.kind != "component" or value.name != "params":
        return None
    return None if ".".join(value.path[1:]) in outer.params else ".".join(value.path)


def _with_argument(value: Value, path: list[str], place: Place, new: OuterValue) -> Value | None:
    """A call or mapping with the argument at a dotted path replaced or added; None if the path leads nowhere."""
    name, rest = path[0], path[1:]
    if isinstance(value, MapValue):
        found = next((item for key, item in value.items if str(key.value) == name), None)
        inner = _with_argument(found, rest, place, new) if rest and found else new
        if inner is None or (rest and found is None):
            return None
        kept = tuple((key, item) for key, item in value.items if str(key.value) != name)
        return MapValue(value.place, (*kept, (ConstantValue(place, name), inner)))
    if not isinstance(value, Call):
        return None
    arguments = value.arguments
    if name.isdigit() and int(name) < len(arguments.positional):
        position = int(name)
        changed = _with_argument(arguments.positional[position], rest, place, new) if rest else new
        if changed is None:
            return None
        positional = (*arguments.positional[:position], changed, *arguments.positional[position + 1 :])
        return replace(value, arguments=replace(arguments, positional=positional))
    current = next((argument.value for argument in arguments.named if argument.name == name), None)
    if value.reference.kind == "file" and rest and not isinstance(current, Call | MapValue):
        # A path into a file goes on in that file: what it names there is checked when that file is opened.
        name, rest, current = ".".join(path), [], None
    inner = _with_argument(current, rest, place, new) if rest and current else new
    if inner is None or (rest and current is None):
        return None
    named = tuple(argument for argument in arguments.named if argument.name != name)
    return replace(value, arguments=replace(arguments, named=(*named, Argument(name, place, inner))))


def needs_of(instance: Instance, name: str) -> list[tuple[str, Place]]:
    """Names of components and stages of this file that one of them needs, with the place of each mention."""
    if name in instance.components:
        references = references_in(instance.components[name].value)
    else:
        references = list(references_of(instance.model.stages[name]))
    known = (*instance.components, *instance.model.stages)
    return [(ref.name, ref.place) for ref in references if ref.kind == "component" and ref.name in known]


def read_from_outside(instance: Instance, stage_name: str) -> set[str]:
    """Artefacts of a stage that are read as `$stage.name` somewhere in the file: only these outlive it."""
    return {
        reference.path[1]
        for stage in instance.model.stages.values()
        for reference in references_of(stage)
        if reference.kind == "artefact" and reference.name == stage_name and len(reference.path) > 1
    }


def creation_order(instance: Instance, problems: Problems | None = None) -> list[str]:
    """Components and stages so that each comes after what it needs; ties in the order of the file. E206 for a cycle."""
    order: list[str] = []
    state: dict[str, int] = {}
    places = {name: item.place for name, item in instance.components.items()}
    places |= {name: stage.place for name, stage in instance.model.stages.items()}
    for start in sorted(places, key=lambda name: (places[name].line, places[name].column)):
        if start in state:
            continue
        stack = [(start, iter(needs_of(instance, start)))]
        state[start] = 1
        while stack:
            name, needs = stack[-1]
            needed = next(needs, None)
            if needed is None:
                state[name] = 2
                order.append(name)
                stack.pop()
            elif needed[0] not in state:
                state[needed[0]] = 1
                stack.append((needed[0], iter(needs_of(instance, needed[0]))))
            elif state[needed[0]] == 1 and problems is not None:
                names = [entry for entry, _ in stack]
                cycle = [*names[names.index(needed[0]) :], needed[0]]
                problems.add("E206", needed[1], None, chain=" -> ".join(cycle))
    return order
