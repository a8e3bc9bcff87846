"""Values and expressions as Python syntax trees."""

import ast
from dataclasses import dataclass, field

from atp.compile.bindings import Bindings, without_places
from atp.compile.places import Placer
from atp.instances import Instance
from atp.model.files import ParamValue
from atp.model.steps import Expression
from atp.model.values import (
    Arguments,
    Call,
    ConstantValue,
    ListValue,
    MapValue,
    Reference,
    Value,
)


@dataclass
class Loop:
    """A loop around the step that is compiled. `counter` is used only if something mentions it."""

    counter: str
    is_counted: bool = False


@dataclass
class Translator:
    """Translates for one function."""

    instance: Instance
    placer: Placer
    bindings: Bindings
    loops: list[Loop] = field(default_factory=list)

    def value(self, value: Value) -> ast.expr:
        """An expression for a value."""
        if isinstance(value, ConstantValue):
            return self.placer.at(value.place, ast.Constant(value.value))
        if isinstance(value, Reference):
            return self.reference(value)
        if isinstance(value, Call):
            return self.call(value)
        if isinstance(value, ListValue):
            return self.placer.at(value.place, ast.List([self.value(item) for item in value.items], ast.Load()))
        if isinstance(value, MapValue):
            keys: list[ast.expr | None] = [self.value(key) for key, _ in value.items]
            return self.placer.at(value.place, ast.Dict(keys, [self.value(item) for _, item in value.items]))
        raise TypeError(f"{type(value).__name__} cannot stand in a process")

    def call(self, call: Call) -> ast.expr:
        """A call with its arguments."""
        target = self.target(call.reference)
        return self.placer.at(call.place, self._call(target, call.arguments))

    def _call(self, target: ast.expr, arguments: Arguments) -> ast.expr:
        keywords = [ast.keyword(part.name, self.value(part.value)) for part in arguments.named]
        return ast.Call(target, [self.value(part) for part in arguments.positional], keywords)

    def target(self, reference: Reference) -> ast.expr:
        """What a call calls."""
        return self._path(reference, is_called=True)

    def reference(self, reference: Reference) -> ast.expr:
        """What a reference stands for as a value; called if it ends with `()`."""
        found = self._path(reference, is_called=reference.is_called)
        return self.placer.at(reference.place, ast.Call(found, [], [])) if reference.is_called else found

    def attributes_after(self, reference: Reference) -> tuple[str, ...]:
        """The part of a path that is attributes of an object, for loops that call a dotted path."""
        if reference.kind == "artefact":
            return () if reference.name in self.instance.model.stages else reference.path[1:]
        if reference.kind == "component" and reference.name in ("params", "run"):
            return ()
        return self.bindings.component(reference, False)[1]

    def _path(self, reference: Reference, is_called: bool) -> ast.expr:
        place = reference.place
        if reference.kind == "library":
            return self.placer.at(place, self.bindings.library(reference))
        if reference.kind == "artefact":
            found, rest = self._artefact(reference)
        elif reference.kind == "component" and reference.name == "params":
            name = ".".join(reference.path[1:])
            return self.placer.at(place, constant_tree(self.instance.params[name]))
        elif reference.kind == "component" and reference.name == "run":
            found, rest = self.bindings.run(), reference.path[1:]
        else:
            found, rest = self.bindings.component(reference, is_called)
        for name in rest:
            found = ast.Attribute(found, name, ast.Load())
        return self.placer.at(place, found)

    def _artefact(self, reference: Reference) -> tuple[ast.expr, tuple[str, ...]]:
        name, path = reference.name, reference.path
        if name == "loop":
            counter = self._counter()
            if path[1] == "first":
                return ast.Compare(counter, [ast.Eq()], [ast.Constant(0)]), ()
            return counter, ()
        if name in self.instance.model.stages:
            key = f"{name}.{path[1]}"
            return ast.Subscript(ast.Name("_last", ast.Load()), ast.Constant(key), ast.Load()), path[2:]
        return ast.Name(name, ast.Load()), path[1:]

    def _counter(self) -> ast.expr:
        self.loops[-1].is_counted = True
        return ast.Name(self.loops[-1].counter, ast.Load())

    def expression(self, expression: Expression) -> ast.expr:
        """An expression of the language."""
        assert expression.tree is not None
        tree = _Replacing(self, expression).visit(without_places(expression.tree))
        placed: ast.expr = self.placer.at(expression.place, tree)
        return placed

    def every(self, arguments: list[ast.expr]) -> ast.expr:
        """`every(n)`: (count + 1) % n == 0."""
        count = arguments[1] if len(arguments) > 1 else self._counter()
        passes = ast.BinOp(count, ast.Add(), ast.Constant(1))
        return ast.Compare(ast.BinOp(passes, ast.Mod(), arguments[0]), [ast.Eq()], [ast.Constant(0)])


class _Replacing(ast.NodeTransformer):
    def __init__(self, translator: Translator, expression: Expression) -> None:
        self._translator, self._expression = translator, expression

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A placeholder becomes what it stands for."""
        return self._translator.reference(self._expression.references[int(node.id.removeprefix("_r"))])

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """A function of the language; `_` keeps it apart from artefacts of the same name."""
        assert isinstance(node.func, ast.Name)
        arguments = [self.visit(argument) for argument in node.args]
        if node.func.id == "every":
            return self._translator.every(arguments)
        return ast.Call(ast.Name("_" + node.func.id, ast.Load()), arguments, [])


def constant_tree(value: ParamValue) -> ast.expr:
    """A parameter as a constant of the code."""
    if isinstance(value, list):
        return ast.List([constant_tree(item) for item in value], ast.Load())
    if isinstance(value, dict):
        return ast.Dict([ast.Constant(key) for key in value], [constant_tree(item) for item in value.values()])
    return ast.Constant(value)
