"""All projects as rows, and the way to a new one."""

import streamlit as st

from app.api_client import api
from app.components import confirm, error_box
from app.format import moment, plain
from app.i18n import count, t
from app.query import remember
from backend.contracts.projects import Project, ProjectCreate


def show(projects: list[Project]) -> None:
    """A row for each project; Open puts it into the URL."""
    for project in projects:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"project_row_{project.id}"):
            with st.container():
                st.markdown(f"**{plain(project.name)}**")
                files = count("projects.files", len(project.code.files))
                st.caption(f"{files} · {t('projects.updated', time=moment(project.updated_at))}")
                if project.description:
                    st.caption(plain(project.description))
            if st.button(t("projects.open"), key=f"open_{project.id}", icon=":material/folder_open:"):
                remember(project=project.id)
                st.rerun()


def show_create(is_first: bool) -> None:
    """Name and description of a new project, behind a button; open at once when it is the first."""
    place = (
        st.container(border=True, width=520)
        if is_first
        else st.popover(t("projects.new"), icon=":material/add:", key="new_project")
    )
    with place, st.form("create_project", border=False, clear_on_submit=False):
        name = st.text_input(t("projects.name"), key="new_project_name", max_chars=200)
        description = st.text_area(t("projects.description"), key="new_project_description")
        is_pressed = st.form_submit_button(
            t("projects.create"), type="primary", icon=":material/add:", key="create_project_submit"
        )
    if not is_pressed:
        return
    if not name.strip():
        st.warning(t("projects.name_missing"), icon=":material/edit:")
        return
    with error_box.guard(stop=False):
        project = api().create_project(ProjectCreate(name=name.strip(), description=description))
        remember(project=project.id, file=None)
        st.rerun()


def ask_delete(project: Project) -> None:
    """Delete `project` after a question."""
    confirm.ask(
        t("projects.delete_title"),
        t("projects.delete_text", name=project.name),
        t("projects.delete"),
        lambda: _delete(project),
        key="delete_project_dialog",
    )


def _delete(project: Project) -> None:
    api().delete_project(project.id)
    remember(project=None, file=None)
    st.toast(t("projects.deleted", name=plain(project.name)), icon=":material/check_circle:")
