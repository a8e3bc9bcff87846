"""Where an image stands in its split. The API orders a split by name but does not number it, so it is searched for."""

from typing import Protocol

import streamlit as st

from app import session_keys
from backend.contracts.datasets import DatasetItem, ItemPage


class ItemSource(Protocol):
    """The part of the client that is needed here."""

    def items(self, dataset_id: str, split: str | None, class_name: str | None, offset: int, limit: int) -> ItemPage:
        """A slice of a split ordered by name."""


def position(source: ItemSource, item: DatasetItem) -> tuple[int, int]:
    """(0-based place in its split, size of the split). A dozen requests for thousands of images, then remembered."""
    known: dict[str, int] = st.session_state.setdefault(session_keys.ITEM_POSITIONS, {})
    guess = known.get(item.id, 0)
    page = source.items(item.dataset_id, item.split, None, guess, 1)
    if page.items and page.items[0].id == item.id:
        known[item.id] = guess
        return guess, page.total
    low, high = 0, max(page.total - 1, 0)
    while low < high:
        middle = (low + high) // 2
        found = source.items(item.dataset_id, item.split, None, middle, 1).items
        if found and found[0].name < item.name:
            low = middle + 1
        else:
            high = middle
    known[item.id] = low
    return low, page.total
