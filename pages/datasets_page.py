"""Datasets: import, look at images with their boxes, freeze versions."""

import streamlit as st

from app.api_client import api
from app.components import dataset_browser, dataset_picker, dataset_summary, error_box, import_panel, near_copies
from app.i18n import t
from app.query import remember
from backend.contracts.datasets import Dataset


def show_head(datasets: list[Dataset]) -> Dataset:
    is_importing = st.query_params.get("import") == "1"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=290):
            dataset = dataset_picker.show(datasets, drops=("page", "split", "class"))
        label, icon = ("datasets.import.close", "close") if is_importing else ("datasets.import", "add")
        kind = "secondary" if is_importing else "primary"
        if st.button(t(label), key="toggle_import", icon=f":material/{icon}:", type=kind):
            remember(**{"import": None if is_importing else 1})
            st.rerun()
        dataset_summary.show_actions(dataset, api().versions(dataset.id))
    if is_importing:
        with st.container(border=True):
            import_panel.show()
    return dataset


st.title(t("nav.datasets"), anchor=False)
with error_box.guard():
    datasets = api().datasets()
    if not datasets:
        st.info(t("datasets.empty"), icon=":material/photo_library:")
        import_panel.show()
        st.stop()
    dataset = show_head(datasets)
    dataset_summary.show(dataset)
    near_copies.show(dataset)
    dataset_browser.show(dataset)
