"""The editor with its problems beside the graphs, the help and the versions. A fragment: typing reruns only this."""

import hashlib

import streamlit as st

from app import session_keys
from app.api_client import api
from app.components import error_box, pipeline_editor, pipeline_graph, pipeline_library, pipeline_place, tab_bar
from app.components.pipeline_draft import EDITOR, Draft, current, draw_again
from app.format import plain
from app.i18n import count, language, render, render_whole, t
from backend.contracts.pipelines import (
    PipelineCheck,
    PipelineFile,
    PipelineGraphCreate,
    PipelineHelpCreate,
    PipelineLevel,
    PipelineProblem,
    PipelineReport,
)


def show(project_id: str, file: PipelineFile, failure: PipelineProblem | None, failure_id: str) -> None:
    """Draw it. `failure` is where the shown run failed in this file; `failure_id` names that failure."""
    st.fragment(_draw)(project_id, file, failure, failure_id)


def _draw(project_id: str, file: PipelineFile, failure: PipelineProblem | None, failure_id: str) -> None:
    with error_box.guard():
        draft = current(project_id, file)
        left, right = st.columns([1.15, 1], gap="medium")
        with left:
            level = _toolbar(draft, file)
            report = api().check_pipeline(project_id, _asked(draft, level))
            asked = _editor(draft, report, failure, failure_id)
            _status(report, draft)
        if asked.is_save and draft.is_dirty:
            _save(draft)
        if asked.help_reference is not None:
            st.session_state[_key(draft, "reference")] = asked.help_reference
            st.session_state["pipeline_tabs"] = t("pipelines.tab.help")
            draw_again()
        with right:
            _show_views(draft, report, file)


def _key(draft: Draft, name: str) -> str:
    return f"pipeline_{name}_{draft.project_id}_{draft.path}"


def _asked(draft: Draft, level: PipelineLevel) -> PipelineCheck:
    return PipelineCheck(path=draft.path, text=draft.text, language=language(), level=level)


def _toolbar(draft: Draft, file: PipelineFile) -> PipelineLevel:
    """Save and check buttons; the level at which this very text is checked."""
    text_hash = hashlib.sha256(draft.text.encode()).hexdigest()
    key = _key(draft, "level")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        label = t("pipelines.save" if draft.is_dirty else "pipelines.saved")
        if st.button(label, key="pipeline_save", icon=":material/save:", disabled=not draft.is_dirty):
            _save(draft)
        levels: tuple[PipelineLevel, ...] = ("static", "init")
        for level in levels:
            icon = ":material/rule:" if level == "static" else ":material/construction:"
            if st.button(
                t(f"pipelines.check.{level}"),
                key=f"pipeline_check_{level}",
                icon=icon,
                help=t(f"pipelines.check.{level}_help"),
            ):
                st.session_state[key] = (text_hash, level)
        if st.button(
            t("pipelines.revert"),
            key="pipeline_revert",
            icon=":material/undo:",
            type="tertiary",
            disabled=not draft.is_dirty,
        ):
            draft.replace(draft.saved)
            draw_again()
    if draft.is_dirty and draft.base != file.sha256:
        st.warning(t("pipelines.changed_elsewhere"), icon=":material/sync_problem:")
    checked = st.session_state.get(key)
    return checked[1] if checked is not None and checked[0] == text_hash else "syntax"


def _save(draft: Draft) -> None:
    draft.save()
    st.session_state[_key(draft, "level")] = (hashlib.sha256(draft.text.encode()).hexdigest(), "static")
    st.rerun()


def _editor(
    draft: Draft, report: PipelineReport, failure: PipelineProblem | None, failure_id: str
) -> pipeline_editor.Asked:
    here = [problem for problem in report.problems if problem.file == draft.path]
    jump = pipeline_place.jump(draft.project_id, draft.path, failure_id if failure is not None else "")
    if failure is not None:
        jump = jump or {"id": failure_id, "line": failure.line, "column": failure.column}
        if not draft.is_dirty:
            here = [failure, *here]
    waiting_help = st.session_state.get(_key(draft, "help_waits"), False)
    return pipeline_editor.show(
        draft.doc, draft.text, here, EDITOR, jump, is_waiting=report.state == "waiting" or waiting_help
    )


def _status(report: PipelineReport, draft: Draft) -> None:
    errors = sum(problem.level == "error" for problem in report.problems)
    warnings = len(report.problems) - errors
    if report.state == "waiting":
        st.caption(f":material/hourglass_top: {t('pipelines.waiting')}")
    elif report.state == "failed" and report.fault is not None:
        st.error(plain(render_whole(report.fault)), icon=":material/error:")
    elif errors or warnings:
        parts = [count("pipelines.errors", errors)] if errors else []
        parts += [count("pipelines.warnings", warnings)] if warnings else []
        st.caption(f":material/error: {', '.join(parts)}" if errors else f":material/warning: {', '.join(parts)}")
    else:
        st.caption(f":green[:material/check_circle:] {t(f'pipelines.fine.{report.level}')}")
    elsewhere = [problem for problem in report.problems if problem.file != draft.path]
    for number, problem in enumerate(elsewhere):
        text = plain(f"{problem.file}:{problem.line}:{problem.column} {problem.code} {problem.message}")
        if st.button(text, key=f"pipeline_elsewhere_{number}", type="tertiary", icon=":material/arrow_outward:"):
            pipeline_place.go_to(draft.project_id, problem.file, problem.line, problem.column)


def _show_views(draft: Draft, report: PipelineReport, file: PipelineFile) -> None:
    names = ("exec", "init", "help", "library")
    view = tab_bar.choose(t("pipelines.tabs"), {name: t(f"pipelines.tab.{name}") for name in names}, key="pipeline")
    if view == "help":
        _show_help(draft)
    elif view == "library":
        pipeline_library.show_versions(draft, file)
    else:
        _show_graph(draft, report, view)


def _show_graph(draft: Draft, report: PipelineReport, kind: str) -> None:
    stage = ""
    # a file that can not be read has no stages; its last graph stays, under its last stage
    known = st.session_state.setdefault(_key(draft, "stages"), ((), ""))
    stages, main = (report.stages, report.main_stage) if report.stages else known
    st.session_state[_key(draft, "stages")] = (stages, main)
    if kind == "exec" and len(stages) > 1:
        stage = st.segmented_control(
            t("pipelines.stage"),
            stages,
            default=main if main in stages else stages[0],
            key=f"{_key(draft, 'stage')}_{'_'.join(stages)}",
            required=True,
            label_visibility="collapsed",
        )
    key = f"pipeline_graph_{kind}"
    name = f"{draft.project_id}/{draft.path}/{kind}/{stage}"
    body = PipelineGraphCreate(
        path=draft.path,
        text=draft.text,
        language=language(),
        kind=kind,
        stage=stage,
        toggled=pipeline_graph.toggled(name, key),
    )
    graph = api().pipeline_graph(draft.project_id, body)
    kept: dict[str, str] = st.session_state.setdefault(session_keys.PIPELINE_GRAPHS, {})
    if graph.dot:
        kept[name] = graph.dot
    elif graph.fault is not None:
        is_stale = name in kept and graph.fault.code == "pipeline_in_error"
        text = t("pipelines.graph_stale") if is_stale else plain(render_whole(graph.fault))
        (st.caption if name in kept else st.info)(text)
    if name in kept:  # while a file is in error its last graph still helps to find one's way
        place = pipeline_graph.show(name, kept[name], key)
        st.caption(t(f"pipelines.graph_how.{kind}"))
        if place is not None:
            pipeline_place.go_to(draft.project_id, *place)


def _show_help(draft: Draft) -> None:
    key = _key(draft, "reference")
    st.session_state.setdefault(key, "")
    reference = st.text_input(
        t("pipelines.help_for"), key=key, placeholder="#torch.optim.Adam", help=t("pipelines.help_how")
    )
    body = PipelineHelpCreate(
        path=draft.path, text=draft.text, language=language(), reference=(reference or "").strip()
    )
    with error_box.guard(stop=False):
        page = api().pipeline_help(draft.project_id, body)
        waits, was_waiting = page.state == "waiting", st.session_state.get(_key(draft, "help_waits"), False)
        st.session_state[_key(draft, "help_waits")] = waits
        if waits:
            st.caption(f":material/hourglass_top: {t('pipelines.help_waiting')}")
            if not was_waiting:
                draw_again()  # the editor, drawn before this, asks again from now on
        elif page.state == "failed" and page.fault is not None:
            st.info(plain(render(page.fault)), icon=":material/help:")
        else:
            st.code(page.text, language=None, wrap_lines=False)
