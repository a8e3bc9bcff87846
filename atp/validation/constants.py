"""Numbers of the file that can only fail: `every(0)`, a division by 0, a `#range` in steps of 0. All are E305."""

import ast
from collections.abc import Iterator, Mapping

from atp.diagnostics import Problems
from atp.model.files import ParamValue
from atp.model.steps import Expression
from atp.parsing.params import described_value

_SIGNS = {ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}


def check_numbers(
    expression: Expression, params: Mapping[str, ParamValue], is_conditional: bool, problems: Problems
) -> None:
    """Reports intervals below 1 and divisions by 0.

    A parameter counts only where nothing keeps the interval from being asked: `@params.n > 0 and every(@params.n)`
    is how 0 turns something off.
    """
    assert expression.tree is not None
    sure = set() if is_conditional else set(_surely_computed(expression.tree))
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "every":
            found = _constant(node.args[0])
            if found is None and node in sure:
                found = _parameter(node.args[0], expression, params)
            if found and not _is_interval(found[0]):
                _report("every(n)", "int >= 1", found[0], expression, problems)
        elif isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            divided, by = _constant(node.left), _constant(node.right)
            is_text = divided is not None and isinstance(divided[0], str)  # `%` of a text is another thing
            if by and by[0] == 0 and not is_text:
                _report(_SIGNS[type(node.op)], "!= 0", by[0], expression, problems)


def _report(argument: str, expected: str, value: object, expression: Expression, problems: Problems) -> None:
    given = described_value(value)
    problems.add("E305", expression.place, None, argument=argument, expected=expected, given=given)


def _is_interval(value: object) -> bool:
    return isinstance(value, int | float) and value >= 1


def _surely_computed(tree: ast.expr) -> Iterator[ast.AST]:
    """Parts that are computed whatever the values are."""
    yield tree
    if isinstance(tree, ast.BoolOp):
        yield from _surely_computed(tree.values[0])
    elif isinstance(tree, ast.IfExp):
        yield from _surely_computed(tree.test)
    else:
        for child in ast.iter_child_nodes(tree):
            if isinstance(child, ast.expr):
                yield from _surely_computed(child)


def _constant(node: ast.expr) -> tuple[object] | None:
    if isinstance(node, ast.Constant):
        return (node.value,)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        return (-value,) if isinstance(value, int | float) else None
    return None


def _parameter(node: ast.expr, expression: Expression, params: Mapping[str, ParamValue]) -> tuple[object] | None:
    if not isinstance(node, ast.Name):
        return None
    reference = expression.references[int(node.id.removeprefix("_r"))]
    name = ".".join(reference.path[1:])
    is_param = reference.kind == "component" and reference.name == "params" and name in params
    return (params[name],) if is_param else None
