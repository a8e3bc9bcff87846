"""A run as training and testing show it: status on top, then its parts as tabs."""

from collections.abc import Callable

import streamlit as st

from app.api_client import api
from app.components import error_box, live_charts, message_tabs, metric_views, run_details, run_log, run_status
from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run


def show(run: Run) -> None:
    """Status, then metrics (of a test), plots, messages, log and details."""
    run_status.show(run)
    parts: dict[str, Callable[[Run], None]] = {
        "plots": live_charts.show,
        "messages": message_tabs.show,
        "log": run_log.show,
        "details": run_details.show,
    }
    if run.kind == "test":
        parts = {"metrics": _show_metrics, **parts}
    names = [t(f"run.tab.{name}") for name in parts]
    for tab, (name, draw) in zip(
        st.tabs(names, on_change="rerun", key=f"run_tabs_{run.kind}"), parts.items(), strict=True
    ):
        # closed tabs cost nothing, except that plots keep their zoom by staying mounted
        if tab.open or name == "plots":
            with tab:
                draw(run)


def _show_metrics(run: Run) -> None:
    with error_box.guard():
        metrics = api().metrics(run.id)
    metric_views.show(metrics, is_final=run.state in FINAL_STATES)
