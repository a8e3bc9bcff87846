"""The body of the page Pipelines: choose a file, edit it, run it, watch the run."""

import re

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import (
    error_box,
    launch_form,
    picker,
    pipeline_draft,
    pipeline_library,
    pipeline_place,
    pipeline_workbench,
    run_badge,
    run_view,
)
from app.format import plain
from app.i18n import language, t
from app.query import query_choice, query_id, remember
from backend.contracts.pipelines import PipelineCheck, PipelineFile, PipelineProblem
from backend.contracts.projects import Project
from backend.contracts.runs import Run

RUNS_LISTED = 100
_PLACE = re.compile(
    r"^(?P<file>[^\s:][^:\n]*\.ya?ml):(?P<line>\d{1,7}):(?P<column>\d{1,7}): (?P<message>.+)$", re.MULTILINE
)


def show() -> None:
    """Draw everything below the title."""
    with error_box.guard():
        client = api()
        projects = client.projects()
        if not projects:
            st.info(t("pipelines.no_projects"), icon=":material/account_tree:")
            with st.container(horizontal=True):
                pipeline_library.show_examples_button("pipeline_examples_first")
            navigation.link("projects", t("screen.create_project"))
            return
        left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
        with left:
            project = picker.project(projects)
        files = client.pipelines(project.id)
        with right:
            pipeline_library.show_ways_in(project)
        if not files:
            st.info(t("pipelines.none"), icon=":material/account_tree:")
            return
        with middle:
            file = _chosen_file(files)
        runs = [run for run in client.runs(project.id, "train", RUNS_LISTED) if run.entry_file == file.path]
        asked = query_id("run")
        run = next((one for one in runs if one.id == asked), next(iter(runs), None))
        run = client.run(run.id) if run is not None else None  # lists leave the error output out
        failure = failure_of(run)
        here = failure if failure is not None and failure.file == file.path else None
        pipeline_workbench.show(project.id, file, here, run.id if run else "")
        _show_launch(project, file, run)
        if run is not None:
            _show_run(run, runs, file, failure)


def failure_of(run: Run | None) -> PipelineProblem | None:
    """Where in which file a failed run failed: `atp` ends its messages with `file:line:column: error`."""
    if run is None or run.state != "failed":
        return None
    found = list(_PLACE.finditer(run.stderr_tail))
    if not found:
        return None
    last = found[-1]
    line, column = int(last["line"]), int(last["column"])
    width = _caret_width(run.stderr_tail[last.end() :])
    return PipelineProblem(
        code=t("pipelines.run_code", number=run.number),
        level="error",
        file=last["file"],
        line=line,
        column=column,
        end_column=column + width,
        message=last["message"][:500],
    )


def _caret_width(after: str) -> int:
    lines = after.split("\n")[1:3]
    return max(1, lines[1].count("^")) if len(lines) == 2 else 1


def _chosen_file(files: list[PipelineFile]) -> PipelineFile:
    by_path = {file.path: file for file in files}
    current = query_choice("pipeline", by_path, files[0].path)
    key = f"pipeline_picker_{current}"
    st.selectbox(
        t("pipelines.file"),
        list(by_path),
        index=list(by_path).index(current),
        key=key,
        on_change=lambda: remember(pipeline=st.session_state[key], run=None),
    )
    return by_path[current]


def _show_launch(project: Project, file: PipelineFile, current: Run | None) -> None:
    key = f"new_run_{file.path}_{current.id if current else project.id}"
    with (
        st.expander(t("pipelines.new_run"), expanded=current is None, icon=":material/play_arrow:", key=key),
        error_box.guard(stop=False),
    ):
        draft = pipeline_draft.current(project.id, file)
        body = PipelineCheck(path=file.path, text=draft.text, language="ru" if language() == "ru" else "en")
        report = api().check_pipeline(project.id, body)
        request = launch_form.show("train", project, file.path, report.parameters)
        if request is None:
            return
        if any(problem.level == "error" for problem in report.problems):
            st.error(t("pipelines.mend_first"), icon=":material/error:")
            return
        if draft.is_dirty:
            draft.save()  # what is seen is what runs
        run = api().start_run(request)
        remember(project=project.id, pipeline=file.path, run=run.id)
        st.rerun()


def _show_run(run: Run, runs: list[Run], file: PipelineFile, failure: PipelineProblem | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(run_badge.title(run), width="content", anchor=False)
        st.space("stretch")
        navigation.link("training", t("pipelines.to_training"), project=run.project_id, run=run.id)
    if len(runs) > 1:
        picker.run(runs, run)
    if failure is not None:
        where = {"line": failure.line, "column": failure.column}
        if failure.file == file.path:
            st.error(t("pipelines.failed_at", **where), icon=":material/my_location:")
        else:
            st.error(t("pipelines.failed_in", file=plain(failure.file), **where), icon=":material/my_location:")
            label = t("pipelines.open_place", file=plain(failure.file))
            if st.button(label, key="pipeline_open_failure", icon=":material/arrow_outward:"):
                pipeline_place.go_to(run.project_id, failure.file, failure.line, failure.column)
        st.code(_excerpt(run), language=None)
    run_view.show(run)


def _excerpt(run: Run) -> str:
    """The place, the line and the caret, as `atp` printed them."""
    last = list(_PLACE.finditer(run.stderr_tail))[-1]
    return "\n".join(run.stderr_tail[last.start() :].split("\n")[:3])
