"""Deleting runs that have ended, after a question that says what goes with them."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.api_client import api
from app.components import confirm, run_badge
from app.i18n import count, t
from app.query import query_id, remember
from backend.contracts.runs import FINAL_STATES, Run

NAMED = 5


def show_button(run: Run, key: str = "delete_run") -> None:
    """A button for one run; nothing while the run goes on."""
    if run.state in FINAL_STATES and st.button(
        t("run.delete"), key=key, icon=":material/delete:", type="tertiary", help=t("run.delete_help")
    ):
        ask([run])


def ask(runs: Sequence[Run], then: Callable[[], None] = lambda: None) -> None:
    """Delete `runs` after a question; `then` is called when they are gone."""
    names = [run_badge.title(run) for run in runs[:NAMED]] + (["…"] if len(runs) > NAMED else [])

    def delete() -> None:
        api().delete_runs([run.id for run in runs])
        gone = {run.id for run in runs}
        remember(**{name: None for name in ("run", "train_run") if query_id(name) in gone})
        st.toast(count("run.deleted", len(runs)), icon=":material/check_circle:")
        then()

    confirm.ask(
        count("run.delete_title", len(runs)),
        t("run.delete_text", runs="; ".join(names)),
        t("run.delete"),
        delete,
        key="delete_runs_dialog",
    )
