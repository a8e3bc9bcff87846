"""The way from one image of a dataset to the next; the shown image is in the URL."""

import streamlit as st

from app.api_client import api
from app.components import step_buttons
from app.components.item_position import position
from app.i18n import language, t
from app.query import remember
from backend.contracts.datasets import SPLITS, Dataset, DatasetItem, Split


def show(dataset: Dataset, item: DatasetItem) -> None:
    """Split, previous, number, next."""
    index, total = position(api(), item)
    filled = [split for split in SPLITS if split in dataset.splits and dataset.splits[split].images]
    with st.container(horizontal=True, vertical_alignment="center"):
        key = f"annotate_split_{item.id}_{language()}"
        chosen = st.segmented_control(
            t("annotate.split"),
            filled,
            default=item.split,
            format_func=lambda split: t(f"split.{split}"),
            required=True,
            key=key,
            label_visibility="collapsed",
        )
        if chosen != item.split:
            _go_to(dataset, chosen, 0)
        if step_buttons.show_previous("previous_item", index):
            _go_to(dataset, item.split, index - 1)
        number = st.number_input(
            t("annotate.number"), 1, total, index + 1, key=f"number_{item.id}", width=96, label_visibility="collapsed"
        )
        if number != index + 1:
            _go_to(dataset, item.split, number - 1)
        if step_buttons.show_next("next_item", index, total):
            _go_to(dataset, item.split, index + 1)
        st.caption(t("annotate.of", total=total))


def first_item(dataset: Dataset) -> DatasetItem | None:
    """The first image of a dataset; None when it has none."""
    return next(iter(api().items(dataset.id, limit=1).items), None)


def _go_to(dataset: Dataset, split: Split, index: int) -> None:
    found = api().items(dataset.id, split, offset=index, limit=1).items
    if found:
        remember(item=found[0].id, dataset=dataset.id, run=None, conf=None)
        st.rerun()
