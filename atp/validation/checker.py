"""Walks values: resolves every reference, checks every call, and says what is known of the result."""

import keyword
from dataclasses import dataclass, field

from atp.diagnostics import Hint, Place, Problems, name_hint
from atp.instances import Instance, Workspace, creation_order
from atp.model.steps import Stage
from atp.model.values import (
    Arguments,
    BrokenValue,
    Call,
    ConstantValue,
    ListValue,
    OuterValue,
    Reference,
    Value,
)
from atp.resolution.facts import MISSING, UNKNOWN, Fact, attribute, attribute_names, call_target, fact_of_thing, result
from atp.resolution.library import LookupFailureError
from atp.runtime.run_info import RUN_NAMES
from atp.validation.calls import Given, check_arguments, check_stage_call
from atp.validation.flow_state import Flow, names_made_in


@dataclass
class Checker:
    """Checks the values of one instance. `with_imports` is False at level syntax: then libraries are unknown."""

    workspace: Workspace
    instance: Instance
    problems: Problems
    with_imports: bool
    checkers: "dict[int, Checker]"
    live: dict[str, object] = field(default_factory=dict)  # components that were created, at level init
    used: set[str] = field(default_factory=set)
    help_calls: list[Call] = field(default_factory=list)
    _facts: dict[str, Fact] = field(default_factory=dict)
    _is_prepared: bool = False
    _running: set[str] = field(default_factory=set)

    def prepare(self) -> None:
        """Check all components, needed ones first: however long a chain is, no recursion follows it."""
        if not self._is_prepared:
            self._is_prepared = True
            for name in creation_order(self.instance):
                self.component(name)

    def component(self, name: str) -> Fact:
        """What is known of a component or stage; checked on first use."""
        if name in self.live:
            return fact_of_thing(self.live[name])
        if name in self._facts or name in self._running:
            return self._facts.get(name, UNKNOWN)
        stage = self.instance.model.stages.get(name)
        if stage:
            return Fact(inner=stage)
        self._running.add(name)
        errors_before = self.problems.error_count()
        fact = self.value(self.instance.components[name].value, None)
        if self.problems.error_count() > errors_before or name in self.instance.model.broken:
            fact = UNKNOWN
        self._facts[name] = fact
        self._running.discard(name)
        return fact

    def value(self, value: Value, flow: Flow | None) -> Fact:
        """Checks a value; `flow` has the artefacts of the process that it stands in, None outside of one."""
        if isinstance(value, OuterValue):
            assert isinstance(value.scope, Instance)
            return self.checkers[id(value.scope)].value(value.value, None)
        if isinstance(value, ConstantValue):
            return Fact(cls=type(value.value)) if value.value is not None else UNKNOWN
        if isinstance(value, BrokenValue):
            return UNKNOWN
        if isinstance(value, Reference):
            return self.reference(value, flow)
        if isinstance(value, Call):
            return self.call(value, flow)
        if isinstance(value, ListValue):
            for item in value.items:
                self.value(item, flow)
            return fact_of_thing([])
        for _, item in value.items:
            self.value(item, flow)
        return fact_of_thing({})

    def reference(self, reference: Reference, flow: Flow | None) -> Fact:
        """What a reference stands for."""
        if reference.kind == "library":
            return self._library(reference)
        if reference.kind == "file":
            return self._inner_path(Fact(inner=self.instance.child(reference)), reference, 0)
        if reference.kind == "artefact":
            return self._artefact(reference, flow)
        return self._component_path(reference)

    def call(self, call: Call, flow: Flow | None) -> Fact:
        """Checks a call and says what it gives."""
        if call.arguments.is_help:
            self.help_calls.append(call)
        reference = call.reference
        if reference.kind == "file" and flow is None:
            return self._inner_path(Fact(inner=self.instance.child(reference)), reference, 0, arguments_checked=True)
        errors_before = self.problems.error_count()
        fact = self.reference(reference, flow)
        is_sound = self.problems.error_count() == errors_before
        positional = [self._given(part, flow) for part in call.arguments.positional]
        named = {part.name: (part.place, self._given(part.value, flow)) for part in call.arguments.named}
        if is_sound:
            is_sound = self._can_be_passed(reference, named)
        if not is_sound or call.arguments.is_help or call.arguments.is_broken:
            return UNKNOWN
        return self.called(fact, call, positional, named)

    def _can_be_passed(self, reference: Reference, named: dict[str, tuple[Place, Given]]) -> bool:
        bad = [name for name in named if not name.isidentifier() or keyword.iskeyword(name)]
        for name in bad:  # nothing in Python takes such an argument
            self.problems.add("E301", named[name][0], None, reference=reference.text, name=name)
        return not bad

    def called(self, fact: Fact, call: Call, positional: list[Given], named: dict[str, tuple[Place, Given]]) -> Fact:
        """The arguments against what is called."""
        inner = fact.inner
        if isinstance(inner, Instance):
            main = inner.model.main_stage()
            if main is None:
                self.problems.add("E203.no_main", call.place, None, reference=call.reference.text)
                return UNKNOWN
            inner = inner.model.stages[main]
        if isinstance(inner, Stage):
            check_stage_call(call.reference, inner, call.arguments, positional, self.problems)
            return stage_result(inner)
        if call_target(fact) is MISSING:
            self.problems.add("E203.call", call.place, None, reference=call.reference.text, type=fact.label)
            return UNKNOWN
        errors_before = self.problems.error_count()
        check_arguments(call.reference, fact, positional, named, self.problems)
        return result(fact) if self.problems.error_count() == errors_before else UNKNOWN

    def _given(self, value: Value, flow: Flow | None) -> Given:
        if isinstance(value, OuterValue):
            assert isinstance(value.scope, Instance)
            return self.checkers[id(value.scope)]._given(value.value, None)
        fact = self.value(value, flow)
        constant: tuple[object] | None = None
        if isinstance(value, ConstantValue):
            constant = (value.value,)
        elif isinstance(value, Reference) and value.kind == "component" and value.name == "params":
            name = ".".join(value.path[1:])
            constant = (self.instance.params[name],) if name in self.instance.params else None
        return Given(value, value.place, fact, constant)

    def _library(self, reference: Reference) -> Fact:
        library = self.workspace.library
        try:
            if not self.with_imports:
                library.check_name(reference.path)
                return UNKNOWN
            return fact_of_thing(library.find(reference.path))
        except LookupFailureError as failure:
            place = reference.place
            if failure.key == "E202":
                place = reference.place_of(_index_of(reference, str(failure.holes["name"])))
            self.problems.add(failure.key, place, failure.hint, **failure.holes)
            return UNKNOWN

    def _component_path(self, reference: Reference) -> Fact:
        name = reference.name
        if name == "params":
            return self._param(reference)
        if name == "run":
            return self._run_name(reference)
        if name not in self.instance.components and name not in self.instance.model.stages:
            hint = name_hint(name, self.instance.model.names, "@")
            if name == "loop":
                hint = Hint("hint.nearest", {"name": "$" + ".".join(reference.path)})
            self.problems.add("E201", reference.place, hint, name=name)
            return UNKNOWN
        self.used.add(name)
        return self._inner_path(self.component(name), reference, 1)

    def _inner_path(self, fact: Fact, reference: Reference, start: int, arguments_checked: bool = False) -> Fact:
        """Follows a dotted path through pipelines, then through attributes."""
        for index in range(start, len(reference.path)):
            name = reference.path[index]
            if isinstance(fact.inner, Instance):
                following = self._member(fact.inner, name, reference, index)
            elif isinstance(fact.inner, Stage):
                self._no_attribute(reference, index, Fact(cls=Stage), [])
                return UNKNOWN
            else:
                following = attribute(fact, name)
                if following is None:
                    self._no_attribute(reference, index, fact, attribute_names(fact))
            if following is None:
                return UNKNOWN
            fact = following
        if not reference.is_called:
            return fact
        no_arguments = Call(reference.place, reference, Arguments(reference.place))
        return self.called(fact, no_arguments, [], {})

    def _member(self, inner: Instance, name: str, reference: Reference, index: int) -> Fact | None:
        if name in inner.components or name in inner.model.stages:
            checker = self.checkers.get(id(inner))
            if checker:
                checker.prepare()
                checker.used.add(name)
            return checker.component(name) if checker else UNKNOWN
        hint = name_hint(name, inner.model.names)
        place = reference.place_of(index)
        holder = ".".join(reference.path[:index]) if reference.kind != "file" else reference.file
        self.problems.add("E203", place, hint, reference=f"{reference.text[0]}{holder}", type="pipeline", name=name)
        return None

    def _no_attribute(self, reference: Reference, index: int, fact: Fact, legal: list[str]) -> None:
        name = reference.path[index]
        near = name_hint(name, legal)
        holder = reference.text[0] + ".".join(reference.path[:index])
        label = "stage" if fact.cls is Stage else fact.label
        self.problems.add("E203", reference.place_of(index), near, reference=holder, type=label, name=name)

    def _param(self, reference: Reference) -> Fact:
        params = self.instance.params
        name = ".".join(reference.path[1:])
        if name in params:
            value = params[name]
            return Fact(cls=type(value)) if value is not None else UNKNOWN
        self.problems.add(
            "E201",
            reference.place,
            name_hint(f"params.{name}", [f"params.{key}" for key in params], "@"),
            name=f"params.{name}" if name else "params",
        )
        return UNKNOWN

    def _run_name(self, reference: Reference) -> Fact:
        if len(reference.path) == 1:
            return UNKNOWN
        name = reference.path[1]
        if name not in RUN_NAMES:
            hint = name_hint(name, RUN_NAMES)
            self.problems.add("E203", reference.place_of(1), hint, reference="@run", type="run", name=name)
        return UNKNOWN

    def _artefact(self, reference: Reference, flow: Flow | None) -> Fact:
        if flow is None:
            self.problems.add("E402.component", reference.place, None, name=reference.name)
            return UNKNOWN
        stage = self.instance.model.stages.get(reference.name)
        if stage:
            return self._stage_artefact(reference, stage)
        fact = flow.read(reference)
        for index in range(1, len(reference.path)):
            following = attribute(fact, reference.path[index])
            if following is None:
                self._no_attribute(reference, index, fact, attribute_names(fact))
                return UNKNOWN
            fact = following
        if not reference.is_called:
            return fact
        return self.called(fact, Call(reference.place, reference, Arguments(reference.place)), [], {})

    def _stage_artefact(self, reference: Reference, stage: Stage) -> Fact:
        names = names_made_in(stage)
        self.used.add(stage.name)
        if len(reference.path) < 2 or reference.path[1] not in names:
            wanted = reference.path[1] if len(reference.path) > 1 else reference.name
            place = reference.place_of(1) if len(reference.path) > 1 else reference.place
            self.problems.add("E402", place, name_hint(wanted, names), name=wanted, stage=stage.name)
        return UNKNOWN


def stage_result(stage: Stage) -> Fact:
    """What calling a stage gives: how many values, if it is a list."""
    if not stage.outputs:
        return Fact(arity=0)
    return Fact(arity=len(stage.outputs), cls=tuple) if stage.is_output_list else UNKNOWN


def _index_of(reference: Reference, name: str) -> int:
    return reference.path.index(name) if name in reference.path else 0
