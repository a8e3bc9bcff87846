"""`atp fmt` changes nothing but missing quotes, and what it writes can be read."""

import pytest

from atp.diagnostics import Problems
from atp.formatting import with_quotes
from atp.reading.documents import read_document


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("    - if: @run.rank == 0  # why", '    - if: "@run.rank == 0"  # why'),
        ("    - set: {x: @params.a * 2, y: 'b'}", "    - set: {x: \"@params.a * 2\", y: 'b'}"),
        ('    - break: @params.mode == "a"', "    - break: '@params.mode == \"a\"'"),
        ("    - #dir/f.yaml:enc.net", '    - "#dir/f.yaml:enc.net"'),
        ("    - @a.b()\n    - {@c: $x}", '    - "@a.b()"\n    - {"@c": $x}'),
        ("    - @a\n" * 60, '    - "@a"\n' * 60),
    ],
)
def test_whole_values_are_quoted(written: str, expected: str) -> None:
    head = "atp: 1\n#training\nmain:\n  process:\n"
    changed = with_quotes(head + written, "t.yaml")
    assert changed == head + expected
    assert with_quotes(changed, "t.yaml") == changed
    problems = Problems()
    read_document(changed, "t.yaml", problems)
    assert problems.sorted() == []


@pytest.mark.parametrize(
    "text",
    [
        "atp: 1\n#training\n# words\nx: [1, 2\n",
        "atp: 1\n#training\nmain:\n  process:\n    - {a: 1\n",
        "atp: 1\n" + "#abc\n" * 3000 + "x: [1, 2\n",
        "atp: 1\nx: 1   #why\ny: 'it''s'  #note\n",
    ],
)
def test_comments_of_an_unreadable_file_stay_comments(text: str) -> None:
    assert with_quotes(text, "t.yaml") == text
    problems = Problems()
    read_document(text, "t.yaml", problems)
    assert {problem.code for problem in problems.sorted()} <= {"E100"}


def test_mark_at_the_beginning_of_a_file_is_kept() -> None:
    assert with_quotes("\ufeffatp: 1\r\nx: @a\r\n", "t.yaml") == '\ufeffatp: 1\r\nx: "@a"\r\n'
