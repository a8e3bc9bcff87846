"""Fixtures for every test: nothing of the developer's own installation leaks in."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ARM_") and not name.startswith("ARM_TEST_")]:
        monkeypatch.delenv(name)
