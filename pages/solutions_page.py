"""User solutions: the catalogue, one version in detail, and the export of a project into it."""

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import error_box, export_form, solution_view
from app.format import plain
from app.i18n import t
from app.query import query_id, remember


def show_export(project_id: str) -> None:
    project = api().project(project_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("solutions.all"), key="all_solutions", icon=":material/arrow_back:", type="tertiary"):
            remember(project=None, run=None, train_run=None)
            st.rerun()
        st.subheader(t("solutions.export.title", name=plain(project.name)), anchor=False)
    st.caption(t("solutions.export.what"))
    export_form.show(project)


def show_solution(solution_id: str) -> None:
    solution = api().solution(solution_id)
    versions = [one for one in api().solutions() if one.name == solution.name]
    solution_view.show_details(solution, versions or [solution])


st.title(t("nav.solutions"), anchor=False)
with error_box.guard():
    if project_id := query_id("project"):
        show_export(project_id)
    elif solution_id := query_id("solution"):
        show_solution(solution_id)
    else:
        solutions = api().solutions()
        if not solutions:
            st.info(t("solutions.empty"), icon=":material/inventory_2:")
            navigation.link("projects", t("solutions.to_projects"))
        solution_view.show_catalogue(solutions)
