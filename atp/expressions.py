"""Expressions: parsed to a syntax tree and checked node by node, never evaluated as text."""

import ast
import re
import warnings

from atp.diagnostics import Hint, Problems, name_hint
from atp.model.steps import Expression
from atp.model.values import Reference
from atp.names import is_name
from atp.parsing.references import reference_from_text
from atp.reading.nodes import Node, Scalar

_COUNTS = {  # with how few and how many arguments each function can be called
    "len": (1, 1),
    "abs": (1, 1),
    "min": (1, 99),
    "max": (1, 99),
    "int": (1, 2),
    "float": (1, 1),
    "every": (1, 2),
}
FUNCTIONS = tuple(_COUNTS)
_YAML_WORDS = {"true": "True", "false": "False", "null": "None"}
LENGTH_MAX = 2000
DEPTH_MAX = 100  # what walks a tree recursively, Python's compiler too, must come to its end
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<ref>[$@][A-Za-z_][\w.]*(?:\(\))?)|(?P<sign>[$@#])"""
)
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot)
_PARTS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Constant, ast.Load)


def parse_expression(node: Node, problems: Problems) -> Expression:
    """The expression in a node. E505 where it cannot be read; then `tree` is None."""
    if not isinstance(node, Scalar):
        problems.add("E505", node.place, Hint("hint.expression"), text="[…]")
        return Expression(node.place, "", None)
    if node.is_broken:
        return Expression(node.place, "", None)
    if not isinstance(node.value, str):
        return Expression(node.place, node.text, ast.Constant(node.value))
    return _parse_text(node, problems)


def _parse_text(node: Scalar, problems: Problems) -> Expression:
    text = node.text
    references: list[Reference] = []
    is_sound = len(text) <= LENGTH_MAX and not re.search(r"\b_r\d", text)

    def placeholder(found: re.Match[str]) -> str:
        nonlocal is_sound
        if found["text"]:
            return found["text"]
        written = found["ref"]
        if not written:
            is_sound = False
            return found[0]
        shift = 1 if node.is_quoted else 0
        reference = reference_from_text(written, node.place.part(found.start() + shift, len(written)), problems)
        if reference is None:
            references.append(Reference(node.place, written, "artefact", ("_",)))
            raise _ReportedError
        references.append(reference)
        return f" _r{len(references) - 1} "

    try:
        tree = _tree_of(_TOKEN.sub(placeholder, text).strip()) if is_sound else None
    except _ReportedError:
        return Expression(node.place, text, None)
    is_sound = is_sound and tree is not None and _depth_of(tree) <= DEPTH_MAX
    fault = "?" if tree is None or not is_sound else _fault_in(tree, len(references))
    if fault is None and tree is not None:
        return Expression(node.place, text, tree, tuple(references))
    problems.add("E505", node.place, _hint_for(fault or "?"), text=text[:80])
    return Expression(node.place, text, None)


def _hint_for(fault: str) -> Hint:
    if fault in _YAML_WORDS:
        return Hint("hint.nearest", {"name": _YAML_WORDS[fault]})
    near = name_hint(fault.removesuffix("()"), FUNCTIONS)
    if near and near.key == "hint.nearest":
        return near
    return Hint("hint.expression_name", {"name": fault}) if is_name(fault) else Hint("hint.expression")


class _ReportedError(Exception):
    pass


def _tree_of(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _depth_of(tree: ast.expr) -> int:
    level: list[ast.AST] = [tree]
    depth = 0
    while level and depth <= DEPTH_MAX:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth


def _fault_in(tree: ast.expr, reference_count: int) -> str | None:
    """The first thing in the tree that the language does not have; a name as itself, a function with `()`."""
    known = {f"_r{number}" for number in range(reference_count)}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else "?"
            if name not in FUNCTIONS or node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
                return f"{name}()"
            fewest, most = _COUNTS[name]
            if not fewest <= len(node.args) <= most:
                return "?"
            waiting += node.args
        elif isinstance(node, ast.Name):
            if node.id not in known:
                return node.id
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, bool | int | float | str | None):
                return "?"
        elif isinstance(node, _PARTS):
            waiting += ast.iter_child_nodes(node)
        elif not isinstance(node, (*_OPERATORS, *_COMPARISONS)):
            return "?"
    return None
