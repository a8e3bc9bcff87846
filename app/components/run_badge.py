"""The state of a run as a coloured badge, and as a word for tables."""

import streamlit as st

from app.i18n import t
from backend.contracts.runs import Run, RunState
from backend.contracts.workers import WorkerRun

_LOOK: dict[RunState, tuple[str, str]] = {
    "created": ("gray", ":material/schedule:"),
    "queued": ("gray", ":material/schedule:"),
    "starting": ("blue", ":material/hourglass_top:"),
    "running": ("blue", ":material/play_circle:"),
    "finished": ("green", ":material/check_circle:"),
    "failed": ("red", ":material/error:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "lost": ("red", ":material/link_off:"),
}


def show(run: Run) -> None:
    """The badge; a run that was asked to stop says so until it has."""
    colour, icon = _LOOK[run.state]
    st.badge(state_name(run), icon=icon, color=colour)


def state_name(run: Run) -> str:
    """The state in the reader's language."""
    return t("run.stopping") if run.is_stop_requested and run.state == "running" else t(f"run.state.{run.state}")


def title(run: Run | WorkerRun) -> str:
    """`Training 12 · weld_defects`."""
    return t(f"run.title.{run.kind}", number=run.number, project=run.project_name)
