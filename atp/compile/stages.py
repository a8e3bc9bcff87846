"""One stage to one Python function."""

import ast
from dataclasses import dataclass

from atp.compile.bindings import Bindings
from atp.compile.expressions import Loop, Translator
from atp.compile.options import CompileOptions
from atp.compile.places import Placer
from atp.diagnostics import Place
from atp.instances import Instance, read_from_outside
from atp.model.steps import (
    Block,
    BlockAction,
    BreakAction,
    CallAction,
    LoopSource,
    Output,
    SetAction,
    Stage,
    Step,
)
from atp.model.values import ConstantValue, Reference, Value


@dataclass
class CompiledStage:
    """The function's tree and what it needs: objects of libraries by path."""

    function: ast.FunctionDef
    objects: set[tuple[str, ...]]

    def source(self) -> str:
        """The function as Python text."""
        return ast.unparse(ast.fix_missing_locations(self.function))


def compile_stage(instance: Instance, stage: Stage, options: CompileOptions) -> CompiledStage:
    """Translate a checked stage."""
    return _StageCompiler(instance, stage, options).compile()


class _StageCompiler:
    def __init__(self, instance: Instance, stage: Stage, options: CompileOptions) -> None:
        self._stage, self._options = stage, options
        self._placer = Placer(instance.model.lines)
        self._bindings = Bindings(instance)
        self._translator = Translator(instance, self._placer, self._bindings)
        self._kept = read_from_outside(instance, stage.name)
        self._is_stopped = options.debug_stage == stage.name
        self._loop_count = 0

    def compile(self) -> CompiledStage:
        stage = self._stage
        body = self._block(stage.block)
        if stage.outputs:
            body.append(self._return())
        defaults = [
            ast.Constant(given.default.value)
            if isinstance(given.default, ConstantValue)
            else ast.Name("_unset", ast.Load())
            for given in stage.inputs
            if given.default is not None
        ]
        entry = self._late_defaults() + self._keep([given.name for given in stage.inputs], stage.place)
        body = [*self._bindings.statements(), *entry, *body] or [ast.Pass()]
        if stage.doc:
            body.insert(0, ast.Expr(ast.Constant(stage.doc)))
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(given.name) for given in stage.inputs],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=list(defaults),
        )
        function = ast.FunctionDef(stage.name, arguments, body, [])
        return CompiledStage(self._placer.at(stage.place, function), self._bindings.objects)

    def _late_defaults(self) -> list[ast.stmt]:
        statements: list[ast.stmt] = []
        for given in self._stage.inputs:
            if given.default is None or isinstance(given.default, ConstantValue):
                continue
            is_unset = ast.Compare(ast.Name(given.name, ast.Load()), [ast.Is()], [ast.Name("_unset", ast.Load())])
            assign = ast.Assign([ast.Name(given.name, ast.Store())], self._translator.value(given.default))
            statements.append(self._placer.at(given.place, ast.If(is_unset, [assign], [])))
        return statements

    def _return(self) -> ast.stmt:
        names: list[ast.expr] = [
            self._placer.at(item.place, ast.Name(item.name, ast.Load())) for item in self._stage.outputs
        ]
        value = ast.Tuple(names, ast.Load()) if self._stage.is_output_list else names[0]
        return self._placer.at(self._stage.outputs[0].place, ast.Return(value))

    def _block(self, block: Block) -> list[ast.stmt]:
        body = self._steps(block.before)
        if block.loop:
            body.append(self._loop(block.loop, block.each))
        else:
            body += self._steps(block.each)
        body += self._steps(block.after)
        return self._with(block.contexts, body, block.place)

    def _loop(self, loop: LoopSource, steps: list[Step]) -> ast.stmt:
        source = self._loop_source(loop)
        self._loop_count += 1
        current = Loop(f"_i{self._loop_count}")
        self._translator.loops.append(current)
        body = self._steps(steps)
        self._translator.loops.pop()
        target, unpacking = self._loop_target(loop)
        body = [*unpacking, *body] or [ast.Pass()]
        if self._options.limit is not None:
            source = ast.Call(ast.Name("_limited", ast.Load()), [source, ast.Constant(self._options.limit)], [])
        if current.is_counted:
            source = ast.Call(ast.Name("_enumerate", ast.Load()), [source], [])
            target = ast.Tuple([ast.Name(current.counter, ast.Store()), target], ast.Store())
        return self._placer.at(loop.place, ast.For(target, source, body, []))

    def _loop_source(self, loop: LoopSource) -> ast.expr:
        source = loop.source
        if not isinstance(source, Reference):
            return self._translator.call(source)
        is_called = source.kind == "library" or bool(self._translator.attributes_after(source))
        if is_called and not source.is_called:
            return self._placer.at(source.place, ast.Call(self._translator.target(source), [], []))
        return self._translator.reference(source)

    def _loop_target(self, loop: LoopSource) -> tuple[ast.expr, list[ast.stmt]]:
        output = loop.output
        if output is None:
            return ast.Name("_", ast.Store()), []
        if output.kind == "pick":
            return ast.Name("_item", ast.Store()), self._picks(output, "_item")
        kept = self._keep([item.name for item in output.items], output.place)
        return self._target(output), kept

    def _target(self, output: Output) -> ast.expr:
        names: list[ast.expr] = [self._placer.at(item.place, ast.Name(item.name, ast.Store())) for item in output.items]
        if output.kind == "whole":
            return names[0]
        return self._placer.at(output.place, ast.Tuple(names, ast.Store()))

    def _picks(self, output: Output, holder: str) -> list[ast.stmt]:
        statements: list[ast.stmt] = []
        for item in output.items:
            picked = ast.Subscript(ast.Name(holder, ast.Load()), ast.Constant(item.key), ast.Load())
            assign = ast.Assign([ast.Name(item.name, ast.Store())], picked)
            statements += [self._placer.at(item.place, assign), *self._keep([item.name], item.place)]
        return statements

    def _steps(self, steps: list[Step]) -> list[ast.stmt]:
        body: list[ast.stmt] = []
        for step in steps:
            body += self._observed(step)
            inner = self._with(step.contexts, self._action(step), step.place)
            if step.condition is None:
                body += inner
                continue
            test = self._translator.expression(step.condition)
            branch = ast.If(test, inner, self._steps(step.otherwise))
            body.append(self._placer.at(step.condition.place, branch))
        return body

    def _observed(self, step: Step) -> list[ast.stmt]:
        """The stop of the debugger and the mark of the profiler, if they were asked for."""
        found: list[ast.stmt] = []
        line = step.place.line + 1
        if self._is_stopped and self._options.debug_line in (None, line):
            scope = ast.Call(ast.Name("_locals", ast.Load()), [], [])
            arguments: list[ast.expr] = [ast.Constant(line), ast.Constant(step.label), scope]
            found.append(ast.Expr(ast.Call(ast.Name("_stop", ast.Load()), arguments, [])))
        if self._options.is_profiled and not isinstance(step.action, BlockAction):
            key = ast.Constant(f"{self._stage.name}:{line} {step.label}")
            found.append(ast.Expr(ast.Call(ast.Name("_mark", ast.Load()), [key], [])))
        return [self._placer.at(step.place, statement) for statement in found]

    def _action(self, step: Step) -> list[ast.stmt]:
        action = step.action
        if isinstance(action, CallAction):
            return self._call(self._translator.call(action.call), step)
        if isinstance(action, SetAction):
            statements: list[ast.stmt] = []
            for item, expression in action.items:
                assign = ast.Assign([ast.Name(item.name, ast.Store())], self._translator.expression(expression))
                statements += [self._placer.at(item.place, assign), *self._keep([item.name], item.place)]
            return statements or [ast.Pass()]
        if isinstance(action, BreakAction):
            test = self._translator.expression(action.condition)
            return [self._placer.at(step.place, ast.If(test, [ast.Break()], []))]
        assert isinstance(action, BlockAction)
        return self._block(action.block) or [ast.Pass()]

    def _call(self, call: ast.expr, step: Step) -> list[ast.stmt]:
        output = step.output
        if output is None:
            return [self._placer.at(step.place, ast.Expr(call))]
        if output.kind == "pick":
            assign = self._placer.at(step.place, ast.Assign([ast.Name("_picked", ast.Store())], call))
            return [assign, *self._picks(output, "_picked")]
        assign = self._placer.at(step.place, ast.Assign([self._target(output)], call))
        return [assign, *self._keep([item.name for item in output.items], output.place)]

    def _keep(self, names: list[str], place: Place) -> list[ast.stmt]:
        """Artefacts that other stages read are noted whenever they get a value."""
        statements: list[ast.stmt] = []
        for name in names:
            if name in self._kept:
                key = ast.Constant(f"{self._stage.name}.{name}")
                slot = ast.Subscript(ast.Name("_last", ast.Load()), key, ast.Store())
                statements.append(self._placer.at(place, ast.Assign([slot], ast.Name(name, ast.Load()))))
        return statements

    def _with(self, contexts: list[Value], body: list[ast.stmt], place: Place) -> list[ast.stmt]:
        if not contexts:
            return body
        items = []
        for context in contexts:
            is_bare_library = isinstance(context, Reference) and context.kind == "library"
            manager = self._translator.value(context)
            if is_bare_library:
                manager = self._placer.at(context.place, ast.Call(manager, [], []))
            items.append(ast.withitem(manager, None))
        return [self._placer.at(contexts[0].place, ast.With(items, body or [ast.Pass()]))]
