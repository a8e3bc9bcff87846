"""Testing: choose whose weights and which data, start, read the metrics."""

import streamlit as st

from app import navigation
from app.components import run_screen
from app.i18n import t
from backend.contracts.runs import Run


def show_links(run: Run) -> None:
    if run.state in ("running", "finished", "stopped"):
        navigation.link("results", t("testing.results"), run=run.id)
    if run.train_run_id is not None and run.state == "finished":
        navigation.link("solutions", t("testing.export"), project=run.project_id, train_run=run.train_run_id)


st.title(t("nav.testing"), anchor=False)
run_screen.show("test", show_links)
