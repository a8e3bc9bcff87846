"""Every test of the language runs in its own folder: a run writes beside where it is started."""

from pathlib import Path

import pytest

import atp

EXAMPLES = Path(atp.__file__).parent / "examples"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def examples() -> Path:
    return EXAMPLES
