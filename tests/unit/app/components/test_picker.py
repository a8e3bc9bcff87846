import pytest
import streamlit as st

from app.components import picker


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    params = {"project": "p1", "run": "r1"}
    monkeypatch.setattr(st, "query_params", params)
    return params


def test_a_choice_goes_into_the_url(monkeypatch, url):
    monkeypatch.setattr(st, "session_state", {"key": "p2"})
    picker._to_url("key", "project", ("p1", "p2"), also_drop="run")
    assert url == {"project": "p2"}


def test_an_outdated_label_is_no_choice(monkeypatch, url):
    monkeypatch.setattr(st, "session_state", {"key": "No. 2 · starting · 21.11.2026 08:14:21"})
    picker._to_url("key", "run", ("r1", "r2"))
    assert url == {"project": "p1", "run": "r1"}
