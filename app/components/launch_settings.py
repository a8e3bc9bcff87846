"""What a project starts: launch files, arguments, device, network."""

import streamlit as st

from app.api_client import api
from app.components import error_box
from app.i18n import t
from backend.contracts.pipelines import PIPELINE_SUFFIXES
from backend.contracts.projects import Project, ProjectUpdate

NOT_CHOSEN = ""


def launch_files(project: Project) -> list[str]:
    """Paths that can be started: Python files, and pipelines."""
    scripts = [file.path for file in project.code.files if file.path.endswith(".py")]
    has_yaml = any(file.path.endswith(PIPELINE_SUFFIXES) for file in project.code.files)
    return scripts + [file.path for file in api().pipelines(project.id)] if has_yaml else scripts


def file_box(label: str, paths: list[str], current: str, key: str, help_text: str | None = None) -> str:
    """A select box over files with "not chosen" on top; a file that is gone stays visible until another is chosen."""
    options = list(dict.fromkeys([NOT_CHOSEN, *paths, current]))
    return st.selectbox(
        label,
        options,
        index=options.index(current),
        format_func=lambda path: path or t("projects.not_chosen"),
        key=key,
        help=help_text,
    )


def device_box(current: str, key: str) -> str:
    """A select box over devices of live workers; the present choice stays visible when its worker is away."""
    titles = {device.name: device.title for device in api().devices()}
    names = list(dict.fromkeys([*titles, current]))
    return st.selectbox(
        t("projects.device"),
        names,
        index=names.index(current),
        format_func=lambda name: titles.get(name) or t("projects.device_away", name=name),
        key=key,
    )


def show(project: Project) -> None:
    """The form; nothing changes before Save."""
    paths = launch_files(project)
    state = f"{project.id}_{project.updated_at.timestamp()}"  # a change from elsewhere is shown, not overwritten
    with st.form(f"launch_{state}", border=False):
        left, right = st.columns(2)
        with left:
            train_file = file_box(t("projects.train_file"), paths, project.train_file, f"train_file_{state}")
            arguments = st.text_input(
                t("projects.arguments"),
                value=project.arguments,
                key=f"arguments_{state}",
                help=t("projects.arguments_help"),
                placeholder="--fast",
            )
        with right:
            test_file = file_box(t("projects.test_file"), paths, project.test_file, f"test_file_{state}")
            device = device_box(project.device, f"device_{state}")
        network = st.checkbox(
            t("projects.network"), value=project.network, key=f"network_{state}", help=t("projects.network_help")
        )
        name = st.text_input(t("projects.name"), value=project.name, key=f"name_{state}", max_chars=200)
        description = st.text_area(t("projects.description"), value=project.description, key=f"about_{state}")
        is_pressed = st.form_submit_button(
            t("projects.save"), type="primary", icon=":material/save:", key="save_launch"
        )
    if is_pressed:
        with error_box.guard(stop=False):
            update = ProjectUpdate(
                name=name.strip() or project.name,
                description=description,
                train_file=train_file,
                test_file=test_file,
                arguments=arguments,
                device=device,
                network=network,
            )
            api().update_project(project.id, update)
            st.toast(t("projects.saved"), icon=":material/check_circle:")
            st.rerun()
