from types import SimpleNamespace

import pytest

from app import format as formats
from tests.unit.app import contract_objects


@pytest.fixture(params=[("ru", "3,2 МБ", "4,8 с"), ("en", "3.2 MB", "4.8 s")])
def spoken(request, monkeypatch):
    language, *expected = request.param
    monkeypatch.setattr("app.i18n.default_language", lambda: language)
    monkeypatch.setattr("app.i18n.st", SimpleNamespace(session_state={}, query_params={}))
    return expected


def test_numbers_have_the_decimal_sign_of_the_language(spoken):
    assert [formats.size(3_200_000), formats.duration(4.81)] == spoken


def test_equal_names_get_different_labels():
    first = contract_objects.dataset()
    other = first.model_copy(update={"id": "d2", "created_at": first.created_at.replace(year=2030)})
    alone = first.model_copy(update={"id": "d3", "name": "alone"})
    labels = formats.labels_by_id([first, other, alone])
    assert labels["d1"] != labels["d2"]
    assert labels["d3"] == "alone"
