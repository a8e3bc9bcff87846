"""Projects: code, launch files and declared parameters of a solution in work."""

import streamlit as st

from app import navigation, session_keys
from app.api_client import api
from app.components import code_browser, code_upload, error_box, launch_settings, parameter_editor, project_list
from app.format import plain
from app.i18n import t
from app.query import query_id, remember
from backend.contracts.projects import Project


def show_header(project: Project) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("projects.all"), key="all_projects", icon=":material/arrow_back:", type="tertiary"):
            remember(project=None, file=None)
            st.rerun()
        st.subheader(plain(project.name), anchor=False, width="content")
        st.space("stretch")
        if st.button(t("projects.delete"), key="delete_project", icon=":material/delete:", type="tertiary"):
            project_list.ask_delete(project)
        if st.button(t("projects.export"), key="export_project", icon=":material/inventory_2:"):
            navigation.go("solutions", project=project.id)
        if st.button(
            t("projects.to_training"),
            key="to_training",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not project.train_file,
            help=None if project.train_file else t("projects.no_train_file"),
        ):
            navigation.go("training", project=project.id)
    if project.description:
        st.caption(plain(project.description))


def show_project(project: Project) -> None:
    st.session_state[session_keys.LAST_PROJECT] = project.id
    show_header(project)
    if not project.code.files:
        st.info(t("projects.no_code"), icon=":material/upload_file:")
        code_upload.show(project)
        return
    code, launch, parameters = st.tabs(
        [t("projects.tab.code"), t("projects.tab.launch"), t("projects.tab.parameters")], key="project_tabs"
    )
    with code:
        with st.expander(t("projects.upload"), icon=":material/upload:", key="upload_panel"):
            code_upload.show(project)
        code_browser.show(project)
    with launch:
        launch_settings.show(project)
    with parameters:
        parameter_editor.show(project)


st.title(t("nav.projects"), anchor=False)
with error_box.guard():
    if project_id := query_id("project"):
        show_project(api().project(project_id))
    else:
        projects = api().projects()
        if not projects:
            st.info(t("projects.empty"), icon=":material/folder_code:")
        project_list.show_create(is_first=not projects)
        project_list.show(projects)
