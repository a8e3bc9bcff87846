"""Parameters of shipped solutions and pipelines are described in both languages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import atp
from backend.domain.parameter_file import parse_parameter_file

ROOT = Path(__file__).parents[3]
PARAMETER_FILES = sorted((ROOT / "solutions").glob("*/params.yaml"))
PIPELINES = [
    path
    for path in sorted((ROOT / "solutions").rglob("*.yaml"))
    if re.search(r"^atp: 1", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def described(path: Path) -> Iterator[tuple[str, Any]]:
    """Name and description of each parameter."""
    if path.name == "params.yaml":
        schema = parse_parameter_file(path.read_bytes(), path.name)
        yield from ((parameter.name, parameter.description) for parameter in (*schema.train, *schema.test))
    else:
        for group in atp.load(path).param_form().values():
            yield from ((name, entry["description"]) for name, entry in group.items())


@pytest.mark.parametrize("path", [*PARAMETER_FILES, *PIPELINES], ids=lambda path: "/".join(path.parts[-2:]))
def test_every_parameter_is_described_in_both_languages(path: Path) -> None:
    for name, description in described(path):
        assert set(description) == {"en", "ru"}, name
        assert re.search("[а-яё]", description["ru"]) and not re.search("[а-яё]", description["en"]), name


def test_all_of_them_were_looked_at() -> None:
    assert len(PARAMETER_FILES) >= 8 and len(PIPELINES) >= 8
