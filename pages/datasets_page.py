"""Datasets: import, look at images with their boxes, freeze versions."""

import streamlit as st

from app.api_client import api
from app.components import dataset_browser, dataset_picker, dataset_summary, error_box, import_panel
from app.i18n import t

st.title(t("nav.datasets"), anchor=False)
with error_box.guard():
    datasets = api().datasets()
    if not datasets:
        st.info(t("datasets.empty"), icon=":material/photo_library:")
        import_panel.show()
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=420):
            dataset = dataset_picker.show(datasets, drops=("page", "split", "class"))
        st.space("stretch")
        dataset_summary.show_actions(dataset)
    with st.expander(t("datasets.import"), icon=":material/add:", key="import_panel"):
        import_panel.show()
    dataset_summary.show(dataset, api().versions(dataset.id))
    dataset_browser.show(dataset)
