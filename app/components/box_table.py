"""The boxes of the canvas as a table, to relabel and to delete: the canvas itself has no list of classes."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.components import table_height
from app.components.annotation_draft import Draft
from app.i18n import t


def show(draft: Draft, classes: Sequence[str]) -> None:
    """One row a box. A change is taken over at once and the canvas is filled anew."""
    if not draft.boxes:
        st.caption(t("annotate.no_boxes"))
        return
    frame = pd.DataFrame(
        {
            "class": [box.class_name for box in draft.boxes],
            "confidence": [box.confidence for box in draft.boxes],
            "size": [f"{box.x2 - box.x1:.0f} × {box.y2 - box.y1:.0f}" for box in draft.boxes],
            "place": [f"{box.x1:.0f}, {box.y1:.0f}" for box in draft.boxes],
            "delete": False,
        }
    )
    # the key follows the boxes: an edit belongs to the rows that were seen, never to later ones
    state = hashlib.sha256(repr((draft.boxes, draft.generation)).encode()).hexdigest()[:12]
    key = f"box_table_{draft.item_id}_{state}"
    has_scores = any(box.confidence is not None for box in draft.boxes)
    column = st.column_config
    st.data_editor(
        frame,
        hide_index=True,
        key=key,
        height=table_height.fitted(len(frame), 430),
        on_change=lambda: apply_edits(draft, st.session_state[key]["edited_rows"]),
        disabled=["confidence", "size", "place"],
        column_order=["class", *(["confidence"] if has_scores else []), "size", "place", "delete"],
        column_config={
            "class": column.SelectboxColumn(
                t("annotate.class"), options=[*classes, *draft.unknown_classes(classes)], required=True
            ),
            "confidence": column.NumberColumn(t("annotate.confidence"), format="%.2f", width=60),
            "size": column.TextColumn(t("annotate.size"), width=76),
            "place": column.TextColumn(t("annotate.place"), width=76),
            "delete": column.CheckboxColumn("✕", help=t("annotate.delete"), width=40),
        },
    )


def apply_edits(draft: Draft, edits: dict[int, dict[str, object]]) -> None:
    """Take over `edits`, by row: a new `class`, or `delete` true."""
    boxes = []
    for index, box in enumerate(draft.boxes):
        edit = edits.get(index, {})
        if not edit.get("delete"):
            boxes.append(replace(box, class_name=str(edit["class"])) if edit.get("class") else box)
    draft.replace(boxes)
