"""Training: choose data and parameters, start, watch the run live."""

import streamlit as st

from app import navigation
from app.components import run_screen
from app.i18n import t
from backend.contracts.runs import Run


def show_links(run: Run) -> None:
    if run.state in ("finished", "stopped"):  # a script that failed rarely leaves weights
        navigation.link("testing", t("training.test_it"), project=run.project_id, train_run=run.id)


st.title(t("nav.training"), anchor=False)
run_screen.show("train", show_links)
