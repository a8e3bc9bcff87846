import pytest
import streamlit as st

from app.components.item_position import position
from backend.contracts.datasets import ItemPage
from tests.unit.app import data_objects

ITEMS = [data_objects.item(id=f"i{n}", name=f"weld_{n:05d}.jpg") for n in range(1000)]


class CountingSource:
    def __init__(self):
        self.request_count = 0

    def items(self, dataset_id, split, class_name, offset, limit):
        assert (dataset_id, split, class_name, limit) == ("d1", "train", None, 1)
        self.request_count += 1
        return ItemPage(items=tuple(ITEMS[offset : offset + limit]), total=len(ITEMS))


@pytest.fixture(autouse=True)
def _empty_session(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})


@pytest.mark.parametrize("place", [0, 1, 499, 500, 998, 999])
def test_an_item_is_found_in_a_dozen_requests(place):
    source = CountingSource()
    assert position(source, ITEMS[place]) == (place, 1000)
    assert source.request_count <= 12


def test_a_place_once_found_costs_one_request():
    position(CountingSource(), ITEMS[700])
    source = CountingSource()
    assert position(source, ITEMS[700]) == (700, 1000)
    assert source.request_count == 1
