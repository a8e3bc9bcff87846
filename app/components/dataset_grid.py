"""Thumbnails of a dataset with their boxes drawn by the browser: nothing is decoded on this side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app.components.boxes import Box, boxes_from_markup
from app.components.class_colours import UNKNOWN, colours
from app.i18n import t
from backend.contracts.datasets import DatasetItem

THUMBNAIL_PX = 480  # twice the width of a card, for dense screens
_HERE = Path(__file__).parent

_component = st.components.v2.component(
    "arm_dataset_grid",
    html='<div class="arm-grid"></div>',
    css=(_HERE / "dataset_grid.css").read_text("utf-8"),
    js=(_HERE / "dataset_grid.js").read_text("utf-8"),
)


def show(items: Sequence[DatasetItem], classes: Sequence[str], key: str = "dataset_grid") -> str | None:
    """Draw the cards; returns the id of the item that was just clicked."""
    data = {
        "items": [_card(item) for item in items],
        "colours": colours(classes),
        "unknown": UNKNOWN,
        "labels": {"noBoxes": t("datasets.no_boxes")},
    }
    opened = _component(key=key, data=data, on_open_change=lambda: None).get("open")
    return opened if opened in {item.id for item in items} else None


def _card(item: DatasetItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "split": t(f"split.{item.split}"),
        "width": item.width,
        "height": item.height,
        "src": f"/objects/{item.image}?width={THUMBNAIL_PX}",
        "href": f"/annotate?{urlencode({'dataset': item.dataset_id, 'item': item.id})}",
        "boxes": [box_data(box) for box in boxes_from_markup(item.markup)],
    }


def box_data(box: Box) -> dict[str, Any]:
    """A box as the browser's code reads it."""
    return {"class": box.class_name, "x1": box.x1, "y1": box.y1, "x2": box.x2, "y2": box.y2}
