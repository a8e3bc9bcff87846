"""Graphs of a run that grow by themselves: the browser fetches points from /live/{run}/points, no page is rerun."""

from pathlib import Path

import streamlit as st

from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run

_HERE = Path(__file__).parent
_HTML = """
<div class="arm-charts">
  <div class="arm-charts__status" role="status"></div>
  <div class="arm-charts__empty" hidden></div>
  <div class="arm-charts__grid"></div>
</div>
"""
_LABELS = (
    *("loading", "live", "reconnecting", "waiting", "none", "epoch", "iteration", "step"),
    *("min", "max", "last", "mean", "std", "count", "special"),
)

# styles are not isolated: Plotly puts its own into the document's head and they must reach the charts
_component = st.components.v2.component(
    "arm_live_charts",
    html=_HTML,
    css=(_HERE / "live_charts.css").read_text("utf-8"),
    js=(_HERE / "live_charts.js").read_text("utf-8"),
    isolate_styles=False,
)


def show(run: Run, is_shown: bool) -> None:
    """One chart per graph of `run`; graphs that differ only before the slash (train/loss, val/loss) share one.

    Charts that are not shown take no room and keep their zoom.
    """
    labels = {label: t(f"charts.{label}") for label in _LABELS}
    is_live = run.state not in FINAL_STATES
    _component(key="live_charts", data={"run": run.id, "live": is_live, "shown": is_shown, "labels": labels})
