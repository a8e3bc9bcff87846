"""Select boxes that follow the URL: which project, which run. The choice is written back into the URL."""

from collections.abc import Collection

import streamlit as st

from app import session_keys
from app.components import run_badge
from app.format import moment
from app.i18n import t
from app.query import query_id
from backend.contracts.projects import Project
from backend.contracts.runs import FINAL_STATES, Run


def project(projects: list[Project], asked: str | None = None) -> Project:
    """The project of `?project=`, else `asked` (the shown run's), else the last one used, else the newest."""
    by_id = {one.id: one for one in projects}
    wanted = (query_id("project"), asked, st.session_state.get(session_keys.LAST_PROJECT), *by_id)
    current = next(project_id for project_id in wanted if project_id in by_id)
    st.session_state[session_keys.LAST_PROJECT] = current
    # the key holds the current id, so a link to another project is never overruled by an older choice
    key = f"project_picker_{current}"
    st.selectbox(
        t("picker.project"),
        list(by_id),
        index=list(by_id).index(current),
        format_func=lambda project_id: by_id[project_id].name,
        key=key,
        on_change=lambda: _to_url(key, "project", by_id, also_drop="run"),
    )
    return by_id[current]


def run(runs: list[Run], current: Run) -> None:
    """A select box over a project's runs, newest first; `current` is in it even if it is older than the list."""
    by_id = {one.id: one for one in runs} | {current.id: current}
    key = f"run_picker_{current.kind}_{current.id}"
    st.selectbox(
        t("picker.run"),
        list(by_id),
        index=list(by_id).index(current.id),
        format_func=lambda run_id: run_label(by_id[run_id]),
        key=key,
        on_change=lambda: _to_url(key, "run", by_id),
    )


def run_label(one: Run) -> str:
    """`No. 12 · finished · 20.11.2026 12:30:05`."""
    state = run_badge.state_name(one) if one.state in FINAL_STATES else t("picker.in_progress")  # the badge says more
    return t("picker.run_label", number=one.number, state=state, time=moment(one.created_at))


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
