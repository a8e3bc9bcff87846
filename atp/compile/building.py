"""Creates the components of a checked file and compiles its stages."""

import ast
import itertools
import linecache
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from atp.compile.bindings import file_key
from atp.compile.options import CompileOptions
from atp.compile.stages import compile_stage
from atp.diagnostics import Place
from atp.instances import Instance, creation_order
from atp.model.files import ParamValue
from atp.model.steps import Stage, references_of
from atp.model.values import (
    BrokenValue,
    Call,
    ConstantValue,
    ListValue,
    MapValue,
    OuterValue,
    Reference,
    Value,
)
from atp.resolution.library import Library
from atp.runtime.checkpoint import Checkpoint
from atp.runtime.run_info import RunInfo


class CreationError(Exception):
    """A component could not be created; the reason is its `__cause__`."""

    def __init__(self, place: Place, reference: str, reason: BaseException) -> None:
        first_line = (str(reason).splitlines() or [""])[0]
        self.reason = f"{type(reason).__name__}: {first_line}"[:300]
        super().__init__(
            f"{place.file}:{place.line + 1}:{place.column + 1}: creating {reference} failed: {self.reason}"
        )
        self.place, self.reference = place, reference


class UnsetArtefactError(LookupError):
    """`$stage.name` was read before the stage gave it a value."""


class _LastValues(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        raise UnsetArtefactError(f"${key} has no value yet: its stage has not made it")


@dataclass(frozen=True)
class Observers:
    """What compiled-in stops and marks call."""

    stop: Callable[[int, str, dict[str, Any]], None] | None = None
    mark: Callable[[str], None] | None = None


class BuiltPipeline:
    """Live components and compiled stages of one file."""

    def __init__(self, instance: Instance, run: RunInfo) -> None:
        self.instance = instance
        self.run_info = run
        self.components: dict[str, Any] = {}
        self.inner: list[BuiltPipeline] = []

    def __getitem__(self, name: str) -> Any:
        if name in self.components:
            return self.components[name]
        raise KeyError(f"no component or stage {name!r}; there are {', '.join(self.components)}")

    def stage(self, name: str) -> Callable[..., Any]:
        """The function of a stage. Raises KeyError naming the stages."""
        if name not in self.instance.model.stages:
            raise KeyError(f"no stage {name!r}; there are {', '.join(self.instance.model.stages)}")
        function: Callable[..., Any] = self.components[name]
        return function

    @property
    def main(self) -> Callable[..., Any]:
        """The stage that a launch without a name starts: `main`, else the only one."""
        name = self.instance.model.main_stage()
        if name is None:
            raise KeyError(f"name a stage; there are {', '.join(self.instance.model.stages) or 'none'}")
        return self.stage(name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the main stage."""
        return self.main(*args, **kwargs)

    def run(self, stage: str | None = None, *args: Any, resume: str | None = None, **kwargs: Any) -> Any:
        """Run a stage. `resume` is `last`, the name of a checkpoint or a path; it is loaded first."""
        if resume is not None:
            self.resume(resume)
        return (self.stage(stage) if stage else self.main)(*args, **kwargs)

    def resume(self, name: str) -> None:
        """Load a checkpoint into every Checkpoint component of the file, or, if it has none, of its inner files.

        A path goes into the first one.
        """
        found = self._checkpoints() or [one for inner in self.all_pipelines() for one in inner._checkpoints()]
        if not found:
            raise LookupError("there is no component '#atp.Checkpoint' to resume from")
        for checkpoint in found[:1] if name.endswith(".pt") else found:
            checkpoint.load(name)

    def _checkpoints(self) -> "list[Checkpoint]":
        return [component for component in self.components.values() if isinstance(component, Checkpoint)]

    def all_pipelines(self) -> "list[BuiltPipeline]":
        """This one and everything inside it."""
        return [self, *(one for inner in self.inner for one in inner.all_pipelines())]

    def live_components(self) -> dict[str, Any]:
        """Components without stages and inner pipelines."""
        return {name: self.components[name] for name in self.instance.components if name in self.components}


class Builder:
    """Creates everything in dependency order."""

    def __init__(
        self,
        library: Library,
        run: RunInfo,
        options: CompileOptions,
        observers: Observers = Observers(),
    ) -> None:
        self._library, self._run, self._options, self._observers = library, run, options, observers
        self._built: dict[int, BuiltPipeline] = {}
        self.failures: list[CreationError] | None = None
        self._failed: set[tuple[int, str]] = set()

    def build(self, instance: Instance) -> BuiltPipeline:
        """All components and stages. Raises CreationError, or collects them if `failures` is a list."""
        built = BuiltPipeline(instance, self._run)
        self._built[id(instance)] = built
        self._remember_source(instance)
        scope = self._globals(built)
        sys.path[:0] = [str(root) for root in self._library.roots if str(root) not in sys.path]
        for name in creation_order(instance):
            stage = instance.model.stages.get(name)
            if stage:
                self._build_files_of_stage(stage, built, scope["_files"])
                built.components[name] = self._compile(instance, name, scope)
                continue
            try:
                built.components[name] = self._value(instance.components[name].value, built)
            except CreationError as error:
                if self.failures is None:
                    raise
                self.failures.append(error)
                self._failed.add((id(instance), name))
            except _NeedsFailedError:
                self._failed.add((id(instance), name))
        self._attach_checkpoints(built)
        return built

    def _attach_checkpoints(self, built: BuiltPipeline) -> None:
        components = _with_inner_ones(built)
        for component in built.live_components().values():
            if isinstance(component, Checkpoint):
                component.attach(components)

    def _build_files_of_stage(self, stage: Stage, built: BuiltPipeline, files: dict[str, BuiltPipeline]) -> None:
        for reference in references_of(stage):
            child = built.instance.child(reference) if reference.kind == "file" else None
            if child:
                files[file_key(reference)] = self._build_child(child, built)

    def _build_child(self, child: Instance, outer: BuiltPipeline) -> BuiltPipeline:
        if id(child) not in self._built:
            outer.inner.append(self.build(child))
        return self._built[id(child)]

    def _compile(self, instance: Instance, name: str, scope: dict[str, Any]) -> Callable[..., Any]:
        compiled = compile_stage(instance, instance.model.stages[name], self._options)
        for path in compiled.objects:
            scope["_objects"][".".join(path)] = self._library.find(path)
        tree = ast.fix_missing_locations(ast.Module([compiled.function], []))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `$x is 1` is the author's choice
            code = compile(tree, instance.model.file, "exec")
        names: dict[str, Any] = {}
        exec(code, scope, names)
        function: Callable[..., Any] = names[name]
        return function

    def _globals(self, built: BuiltPipeline) -> dict[str, Any]:
        return {
            "__builtins__": {},
            "__name__": "atp.pipeline",
            "_components": built.components,
            "_files": {},
            "_objects": {},
            "_last": _LastValues(),
            "_run": self._run,
            "_unset": object(),
            "_enumerate": enumerate,
            "_limited": _limited,
            "_locals": locals,
            "_stop": self._observers.stop,
            "_mark": self._observers.mark,
            "_len": len,
            "_abs": abs,
            "_min": min,
            "_max": max,
            "_int": int,
            "_float": float,
        }

    def _value(self, value: Value, built: BuiltPipeline) -> Any:
        if isinstance(value, OuterValue):
            assert isinstance(value.scope, Instance)
            return self._value(value.value, self._built[id(value.scope)])
        if isinstance(value, ConstantValue):
            return value.value
        if isinstance(value, ListValue):
            return [self._value(item, built) for item in value.items]
        if isinstance(value, MapValue):
            return {key.value: self._value(item, built) for key, item in value.items}
        if isinstance(value, BrokenValue):
            raise _NeedsFailedError
        if isinstance(value, Call):
            return self._call(value, built)
        found = self._reference(value, built)
        return self._called(found, value, [], {}) if value.is_called else found

    def _call(self, call: Call, built: BuiltPipeline) -> Any:
        if call.reference.kind == "file":
            return self._reference(call.reference, built)
        target = self._reference(call.reference, built)
        positional = [self._value(part, built) for part in call.arguments.positional]
        named = {part.name: self._value(part.value, built) for part in call.arguments.named}
        return self._called(target, call.reference, positional, named)

    def _called(self, target: Any, reference: Reference, positional: list[Any], named: dict[str, Any]) -> Any:
        try:
            return target(*positional, **named)
        except (Exception, SystemExit) as error:  # a constructor that leaves the program has failed too
            raise CreationError(reference.place, reference.text, error) from error

    def _reference(self, reference: Reference, built: BuiltPipeline) -> Any:
        if reference.kind == "library":
            return self._library.find(reference.path)
        if reference.kind == "file":
            child = built.instance.child(reference)
            assert child is not None
            found: Any = self._build_child(child, built)
            return self._attributes(found, reference.path, reference)
        if reference.name == "params":
            return _copied(built.instance.params[".".join(reference.path[1:])])
        if reference.name == "run":
            return self._attributes(self._run, reference.path[1:], reference)
        if (id(built.instance), reference.name) in self._failed or reference.name not in built.components:
            raise _NeedsFailedError
        return self._attributes(built.components[reference.name], reference.path[1:], reference)

    def _attributes(self, found: Any, path: tuple[str, ...], reference: Reference) -> Any:
        for name in path:
            if isinstance(found, BuiltPipeline):
                if name not in found.components:
                    raise _NeedsFailedError
                found = found.components[name]
                continue
            try:
                found = getattr(found, name)
            except (Exception, SystemExit) as error:
                raise CreationError(reference.place, reference.text, error) from error
        return found

    def _remember_source(self, instance: Instance) -> None:
        """Tracebacks show the lines that were compiled, even if the file changes later."""
        lines = [line + "\n" for line in instance.model.lines]
        linecache.cache[instance.model.file] = (sum(map(len, lines)), None, lines, instance.model.file)


def _with_inner_ones(built: BuiltPipeline) -> dict[str, Any]:
    """Components by name; first its own, then those of inner files.

    Those of a file that is a component are `component.name`, of one that has no name of its own `step.yaml.name`.
    """
    own = built.live_components()
    found = {name: part for name, part in own.items() if not isinstance(part, BuiltPipeline)}
    files = {name: part for name, part in own.items() if isinstance(part, BuiltPipeline)}
    named = {id(part) for part in files.values()}
    for part in built.inner:
        if id(part) not in named:
            file = part.instance.path.name
            files[next(name for name in _numbered(file) if name not in files)] = part
    for name, part in files.items():
        found |= {f"{name}.{inner}": component for inner, component in _with_inner_ones(part).items()}
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}:{number}" for number in itertools.count(2))


class _NeedsFailedError(Exception):
    """A needed component failed; its own error is enough."""


def _limited(source: Iterable[Any], count: int) -> Iterator[Any]:
    return itertools.islice(source, count)


def _copied(value: ParamValue) -> ParamValue:
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return {key: _copied(item) for key, item in value.items()} if isinstance(value, dict) else value
