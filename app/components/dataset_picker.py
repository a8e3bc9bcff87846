"""A select box over datasets that follows the URL."""

import streamlit as st

from app import session_keys
from app.format import labels_by_id
from app.i18n import t
from app.query import query_id
from backend.contracts.datasets import Dataset


def show(datasets: list[Dataset], drops: tuple[str, ...] = ()) -> Dataset:
    """The dataset of `?dataset=`, else the last one used, else the newest. A new choice drops `drops` from the URL."""
    by_id = {one.id: one for one in datasets}
    wanted = (query_id("dataset"), st.session_state.get(session_keys.LAST_DATASET), *by_id)
    current = next(dataset_id for dataset_id in wanted if dataset_id in by_id)
    st.session_state[session_keys.LAST_DATASET] = current
    # the key holds the current id, so a link to another dataset is never overruled by an older choice
    key = f"dataset_picker_{current}"

    def to_url() -> None:
        st.query_params["dataset"] = st.session_state[key]
        for name in drops:
            st.query_params.pop(name, None)

    st.selectbox(
        t("datasets.dataset"),
        list(by_id),
        index=list(by_id).index(current),
        format_func=labels_by_id(datasets).__getitem__,
        key=key,
        on_change=to_url,
    )
    return by_id[current]
