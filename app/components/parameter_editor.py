"""Declares the parameters of a project's two launch files: an editable table, and the form it makes."""

import hashlib
from typing import Any, get_args

import pandas as pd
import streamlit as st

from app.api_client import api
from app.api_requests import ApiError, ApiUnavailableError
from app.components import error_box, parameter_form
from app.components.parameter_rows import COLUMNS, DEFAULT_GROUP, parameters_from_rows, rows_from_parameters
from app.i18n import language, t
from backend.contracts.base import Problem
from backend.contracts.parameters import Parameter, ParameterSchema, ParameterType
from backend.contracts.projects import Project, ProjectUpdate

KINDS = ("train", "test")


def show(project: Project) -> None:
    """Two tables, one Save, and a preview of what is saved."""
    st.caption(t("projects.parameters.what"))
    edited, numbers = {}, {}
    for kind in KINDS:
        st.markdown(f"**{t(f'projects.parameters.{kind}')}**")
        edited[kind], numbers[kind] = _show_table(project, kind)
    schema = ParameterSchema(**edited)
    is_changed = schema != project.parameters
    with st.container(horizontal=True, vertical_alignment="center"):
        is_pressed = st.button(
            t("projects.parameters.save"),
            key="save_parameters",
            type="primary",
            icon=":material/save:",
            disabled=not is_changed,
        )
        st.caption(t("projects.unsaved") if is_changed else t("projects.saved"))
    if is_pressed:
        _save(project, schema, numbers)
    _show_preview(project)


def _show_table(project: Project, kind: str) -> tuple[tuple[Parameter, ...], tuple[int, ...]]:
    saved: tuple[Parameter, ...] = getattr(project.parameters, kind)
    frame = pd.DataFrame(rows_from_parameters(saved, language()), columns=list(COLUMNS))
    frame = frame.astype({"minimum": "float64", "maximum": "float64"})
    # the key follows what is saved: after a save the table starts afresh, after a refusal it keeps what was typed;
    # and the language: a description typed in one is not that of the other
    key = f"parameters_{kind}_{project.id}_{language()}_{hashlib.sha256(repr(saved).encode()).hexdigest()[:12]}"
    rows = st.data_editor(frame, num_rows="dynamic", hide_index=True, key=key, column_config=_columns())
    return parameters_from_rows(rows.to_dict("records"), language())


def _columns() -> dict[str, Any]:
    column = st.column_config

    def title(name: str) -> str:
        return t(f"projects.parameters.column.{name}")

    return {
        "group": column.TextColumn(title("group"), default=DEFAULT_GROUP, width=120),
        "name": column.TextColumn(title("name"), required=True, width=140, pinned=True),
        "type": column.SelectboxColumn(
            title("type"),
            options=list(get_args(ParameterType)),
            required=True,
            default="float",
            width=110,
            format_func=lambda kind: t(f"projects.parameters.type.{kind}"),
        ),
        "default": column.TextColumn(title("default"), width=110),
        "minimum": column.NumberColumn(title("minimum"), width=95),
        "maximum": column.NumberColumn(title("maximum"), width=95),
        "choices": column.MultiselectColumn(title("choices"), options=[], accept_new_options=True, width=150),
        "description": column.TextColumn(
            title("description"), width="large", help=t("projects.parameters.description_help")
        ),
        "descriptions": None,
    }


def _save(project: Project, schema: ParameterSchema, numbers: dict[str, tuple[int, ...]]) -> None:
    with error_box.guard(stop=False):
        try:
            api().update_project(project.id, ProjectUpdate(parameters=schema))
        except ApiUnavailableError:
            raise
        except ApiError as error:
            error.problems = tuple(_located(problem, schema, numbers) for problem in error.problems)
            raise
        st.toast(t("projects.parameters.saved"), icon=":material/check_circle:")
        st.rerun()


def _located(problem: Problem, schema: ParameterSchema, numbers: dict[str, tuple[int, ...]]) -> Problem:
    """The backend names a parameter; a person looks for the table and its row."""
    kind = problem.params.get("kind")
    if problem.line is not None or kind not in KINDS:
        return problem
    wanted = (problem.params.get("group"), problem.params.get("name"))
    rows = zip(getattr(schema, kind), numbers[kind], strict=True)
    found = [number for parameter, number in rows if (parameter.group, parameter.name) == wanted]
    title = t(f"projects.parameters.{kind}")
    return problem.model_copy(update={"file": title, "line": found[-1] if found else None})


def _show_preview(project: Project) -> None:
    if not (project.parameters.train or project.parameters.test):
        return
    with st.expander(t("projects.parameters.preview"), icon=":material/preview:", key="parameters_preview"):
        for kind in KINDS:
            if parameters := getattr(project.parameters, kind):
                st.markdown(f"**{t(f'projects.parameters.{kind}')}**")
                parameter_form.show(parameters, key=f"preview_{kind}_{project.id}")
