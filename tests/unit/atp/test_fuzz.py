"""Mutated files: a report, never an exception. `python -m benchmarks.atp_fuzz` runs many more of the same."""

import importlib
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import atp
from atp.diagnostics import Place, Problems
from atp.expressions import parse_expression
from atp.formatting import with_quotes
from atp.reading.nodes import Scalar
from atp.resolution import library
from benchmarks.atp_fuzz import FILES, ImportWatch, check_one, mutated

RELAXED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
ALLOWED_IMPORTS = {"torch", "torchvision", "torchmetrics", "plat", "PlatformAPI", "operator", "math", "copy"} | {
    "functools", "collections", "contextlib", "builtins", "lib", "atp", "core",
}  # fmt: skip


@settings(max_examples=300, **RELAXED)
@given(st.sampled_from(FILES), st.integers(0, 2**32))
def test_mutated_file_gives_a_report(path, seed) -> None:  # type: ignore[no-untyped-def]
    check_one(path, mutated(path.read_text(encoding="utf-8"), random.Random(seed)), with_imports=False)


def test_mutated_file_imports_nothing_beyond_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("torch")  # seconds that are not the file's
    watch = ImportWatch()
    monkeypatch.setattr(library, "importlib", watch)
    for seed in range(150):
        path = FILES[seed % len(FILES)]
        check_one(path, mutated(path.read_text(encoding="utf-8"), random.Random(seed)), with_imports=True)
    assert "torch" in watch.tops and watch.tops <= ALLOWED_IMPORTS


@settings(max_examples=300, **RELAXED)
@given(st.text(max_size=200))
def test_any_text_gives_a_report_and_fmt_keeps_it_or_adds_quotes(text: str) -> None:
    str(atp.load("any.yaml", text=text).validate("syntax"))
    quotes = str.maketrans("", "", "\"'")  # a value with `"` in it gets single ones
    assert with_quotes(text, "any.yaml").translate(quotes) == text.translate(quotes)


@settings(max_examples=300, **RELAXED)
@given(st.text(st.sampled_from("$@#xy.()[]{}+-*/%<>=!'\" 01,every_:λ\n"), max_size=60))
def test_any_expression_is_read_or_refused(text: str) -> None:
    problems = Problems()
    expression = parse_expression(Scalar(Place("x", 0, 0, len(text) + 1), text, text), problems)
    assert (expression.tree is None) == problems.has_errors
