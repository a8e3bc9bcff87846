"""How a run stands in the queue: its priority, and the labels that its worker must carry."""

import streamlit as st

from app.i18n import t
from backend.contracts.runs import PRIORITY_MAX, Worker


def show(workers: list[Worker], key: str) -> dict[str, object]:
    """Draw both fields; returns them as fields of RunCreate."""
    left, right = st.columns(2)
    with left:
        priority = st.number_input(
            t("launch.priority"),
            min_value=-PRIORITY_MAX,
            max_value=PRIORITY_MAX,
            value=0,
            key=f"{key}_priority",
            help=t("queue.priority_help"),
        )
    with right:
        labels = st.multiselect(
            t("launch.labels"),
            sorted({label for worker in workers for label in worker.labels}),
            key=f"{key}_labels",
            help=t("launch.labels_help"),
            placeholder=t("launch.any_worker"),
        )
    return {"priority": priority, "labels": tuple(labels)}
