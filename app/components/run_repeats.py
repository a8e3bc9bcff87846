"""A run and its repetitions: which one it repeats, which one repeats it, and a button that starts it again."""

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import error_box
from app.i18n import count, t
from app.query import remember
from backend.contracts.runs import Run


def is_due(run: Run) -> bool:
    """Whether the workstation is about to start `run` again by itself, as was asked at its start."""
    return run.state in ("failed", "lost") and run.retries > 0 and run.retried_as is None


def show_button(run: Run) -> None:
    """Start a final run again and go to the new one."""
    is_pressed = st.button(t("run.retry"), key=f"retry_{run.id}", icon=":material/replay:", help=t("run.retry_help"))
    if is_pressed:
        with error_box.guard(stop=False):
            again = api().retry_run(run.id)
            remember(run=again.id)
            st.rerun()


def show_links(run: Run) -> None:
    """The runs before and after this one in a chain of repetitions; nothing for a run of its own."""
    if is_due(run):
        st.caption(f":material/replay: {count('run.retry_due', run.retries)}")
    if run.retry_of is None and run.retried_as is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        _link(run, run.retry_of, "run.repeats", ":material/history:")
        _link(run, run.retried_as, "run.repeated_as", ":material/replay:")


def _link(run: Run, other_id: str | None, key: str, icon: str) -> None:
    if other_id is not None:
        page = "training" if run.kind == "train" else "testing"
        label = t(key, number=_number(other_id))
        navigation.link(page, label, icon=icon, project=run.project_id, run=other_id)


@st.cache_data(show_spinner=False, max_entries=1000)
def _number(run_id: str) -> int:
    """A number never changes, so it is asked for once."""
    return api().run(run_id).number
