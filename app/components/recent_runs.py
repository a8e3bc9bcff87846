"""The newest runs of all projects; the table follows them while any is on its way."""

import streamlit as st

from app.api_client import api
from app.components import error_box, run_table
from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run

SHOWN = 12
REFRESH_EVERY_S = 2


def show() -> None:
    """The table, refreshed by itself while a run is live; when the last one ends, the page is run once more."""
    if _is_any_live(runs := api().runs(limit=SHOWN)):
        st.fragment(_refresh, run_every=REFRESH_EVERY_S)()
    else:
        _draw(runs)


def _refresh() -> None:
    with error_box.guard():
        runs = api().runs(limit=SHOWN)
        if not _is_any_live(runs):
            st.rerun()
        _draw(runs)


def _draw(runs: list[Run]) -> None:
    if runs:
        run_table.show(runs)
    else:
        st.caption(t("home.no_runs"))


def _is_any_live(runs: list[Run]) -> bool:
    return any(run.state not in FINAL_STATES for run in runs)
