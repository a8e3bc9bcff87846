"""Ended runs to look through, open, or delete, several at once."""

from collections.abc import Sequence

import streamlit as st

from app import navigation
from app.components import run_deletion, run_table
from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run

SELECTED_MAX = 200


def show(runs: Sequence[Run], key: str) -> None:
    """The ended ones of `runs` as a table; what can be done with the chosen rows is below it."""
    ended = [run for run in runs if run.state in FINAL_STATES]
    if not ended:
        st.caption(t("history.empty"))
        return
    chosen = run_table.choose(ended, key=f"{key}_{ended[0].id}_{len(ended)}")[:SELECTED_MAX]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("history.open"), key=f"{key}_open", icon=":material/open_in_new:", disabled=len(chosen) != 1):
            run = chosen[0]
            navigation.go("training" if run.kind == "train" else "testing", project=run.project_id, run=run.id)
        if st.button(
            t("history.delete", count=len(chosen)) if chosen else t("run.delete"),
            key=f"{key}_delete",
            icon=":material/delete:",
            disabled=not chosen,
        ):
            run_deletion.ask(chosen)
        if not chosen:
            st.caption(t("history.how"))
