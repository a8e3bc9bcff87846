"""Select boxes that follow the URL: which project, which run. The choice is written back into the URL."""

from collections.abc import Collection

import streamlit as st

from app import session_keys
from app.format import labels_by_id, moment
from app.i18n import language, t
from app.query import query_id
from backend.contracts.projects import Project
from backend.contracts.runs import FINAL_STATES, Run


def project(projects: list[Project], asked: str | None = None) -> Project:
    """The project of `?project=`, else `asked` (the shown run's), else the last one used, else the newest."""
    by_id, labels = {one.id: one for one in projects}, labels_by_id(projects)
    wanted = (query_id("project"), asked, st.session_state.get(session_keys.LAST_PROJECT), *by_id)
    current = next(project_id for project_id in wanted if project_id in by_id)
    st.session_state[session_keys.LAST_PROJECT] = current
    # the key holds the current id, so a link to another project is never overruled by an older choice
    key = f"project_picker_{current}"
    st.selectbox(
        t("picker.project"),
        list(by_id),
        index=list(by_id).index(current),
        format_func=labels.__getitem__,
        key=key,
        on_change=lambda: _to_url(key, "project", by_id, also_drop="run"),
    )
    return by_id[current]


def run(runs: list[Run], current: Run, with_project: bool = False) -> None:
    """A select box over runs, newest first; `current` is in it even if it is older than the list."""
    by_id = {one.id: one for one in runs} | {current.id: current}
    # the key follows the label: the browser goes on showing the old one as long as the box is the same
    key = f"run_picker_{current.id}_{_shown_state(current)}_{language()}"
    st.selectbox(
        t("picker.run"),
        list(by_id),
        index=list(by_id).index(current.id),
        format_func=lambda run_id: run_label(by_id[run_id], with_project),
        key=key,
        on_change=lambda: _to_url(key, "run", by_id),
    )


def run_label(one: Run, with_project: bool = False) -> str:
    """`No. 12 · finished · 20.11.2026 12:30:05`, with the project's name where runs of several are listed."""
    state = t("picker.in_progress" if _shown_state(one) == "live" else f"run.state.{one.state}")
    label = t("picker.run_label", number=one.number, state=state, time=moment(one.created_at))
    return f"{label} · {one.project_name}" if with_project else label


def _shown_state(one: Run) -> str:
    """A label that changes by the second could not be chosen, so all states on the way are one; the badge says more."""
    return one.state if one.state in FINAL_STATES else "live"


def _to_url(key: str, name: str, known: Collection[str], also_drop: str | None = None) -> None:
    """Write the choice into the URL. Streamlit tells choices by their labels: when one changed meanwhile (a run went
    on to its next state) the callback gets the old label instead of an id, which is no choice of the reader's.
    """
    chosen = st.session_state[key]
    if chosen not in known:
        return
    st.query_params[name] = chosen
    if also_drop is not None:
        st.query_params.pop(also_drop, None)
