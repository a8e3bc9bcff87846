"""The common body of Training and Testing: choose a project, start a run, watch one."""

from collections.abc import Callable
from http import HTTPStatus

import streamlit as st

from app import navigation, session_keys
from app.api_client import Api, api
from app.api_requests import ApiError
from app.components import error_box, launch_form, picker, run_badge, run_deletion, run_history, run_view
from app.i18n import t
from app.query import query_id, remember
from backend.contracts.projects import Project
from backend.contracts.runs import Run, RunKind

RUNS_LISTED = 50


def show(kind: RunKind, show_links: Callable[[Run], None]) -> None:
    """Draw everything below the title. `show_links` adds the page's own ways on from the shown run."""
    with error_box.guard():
        client = api()
        projects = client.projects()
        if not projects:
            st.info(t("screen.no_projects"), icon=":material/folder_code:")
            navigation.link("projects", t("screen.create_project"))
            return
        asked = _asked_run(client, kind)
        left, right = st.columns(2, vertical_alignment="bottom")
        with left:
            project = picker.project(projects, asked.project_id if asked else None)
        runs = client.runs(project_id=project.id, kind=kind, limit=RUNS_LISTED)
        current = asked if asked is not None and asked.project_id == project.id else next(iter(runs), None)
        if current is not None:
            with right:
                picker.run(runs, current)
        _start(kind, project, current)
        if runs:
            with st.expander(t("history.all"), icon=":material/history:", key=f"history_{kind}_{project.id}"):
                run_history.show(runs, key=f"history_{kind}")
        if current is None:
            st.caption(t(f"screen.no_runs.{kind}"))
            return
        _show_run(current, show_links)


def _asked_run(client: Api, kind: RunKind) -> Run | None:
    """The run of the URL. One that does not exist is told to the reader, not replaced by another."""
    if "run" not in st.query_params:
        return None
    run_id = query_id("run")
    if run_id is None:
        st.error(t("screen.bad_run_id"), icon=":material/error:")
        st.stop()
    try:
        return client.run(run_id)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        error_box.show(error)
        navigation.link("training" if kind == "train" else "testing", t("screen.newest"))
        st.stop()


def _start(kind: RunKind, project: Project, current: Run | None) -> None:
    # the key follows the shown run, so the form folds itself away when a new run takes the screen
    key = f"new_run_{kind}_{current.id if current else project.id}"
    is_asked_for = "train_run" in st.query_params and "run" not in st.query_params  # "Test these weights" led here
    is_open = current is None or is_asked_for
    with (
        st.expander(t(f"screen.new_run.{kind}"), expanded=is_open, icon=":material/add:", key=f"{key}_{is_asked_for}"),
        error_box.guard(stop=False),
    ):
        request = launch_form.show(kind, project)
        if request is not None:
            run = api().start_run(request)
            remember(project=project.id, run=run.id)
            st.rerun()


def _show_run(run: Run, show_links: Callable[[Run], None]) -> None:
    if run.kind == "train":
        st.session_state[session_keys.LAST_TRAIN_RUN] = run.id
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(run_badge.title(run), width="content", anchor=False)
        st.space("stretch")
        run_deletion.show_button(run)
        show_links(run)
    run_view.show(run)
