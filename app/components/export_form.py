"""The export form: makes an immutable solution out of a project, with the weights of a training run if wanted."""

import streamlit as st

from app import session_keys
from app.api_client import api
from app.components import code_browser, error_box
from app.components.launch_settings import device_box, file_box, launch_files
from app.components.picker import run_label
from app.i18n import language, t
from app.query import query_id, remember
from backend.contracts.projects import Project, Solution, SolutionCreate
from backend.contracts.runs import FINAL_STATES, Run

NO_RUN = ""  # None would make the box clearable


def show(project: Project) -> None:
    """Fields of the form with the project's own settings in them; what was exported is opened."""
    paths = launch_files(project)
    if not paths:
        st.warning(t("solutions.export.no_code"), icon=":material/upload_file:")
        return
    state = f"{project.id}_{project.updated_at.timestamp()}"
    runs = api().runs(project_id=project.id, kind="train")
    form, files = st.columns([2, 1], gap="large")
    with files:
        st.markdown(f"**{t('solutions.files')}**")
        code_browser.show_files(project.code.files, key=f"export_files_{state}")
    with form, st.form(f"export_{state}", border=False):
        body = _fields(project, paths, runs, state)
        is_pressed = st.form_submit_button(
            t("solutions.export.submit"), type="primary", icon=":material/inventory_2:", key="export_submit"
        )
    if is_pressed:
        _export(body)


def _fields(project: Project, paths: list[str], runs: list[Run], state: str) -> dict[str, str | None]:
    name = st.text_input(t("solutions.export.name"), value=project.name, key=f"export_name_{state}", max_chars=200)
    left, right = st.columns(2)
    with left:
        train_file = file_box(t("solutions.export.train_file"), paths, project.train_file, f"export_train_{state}")
        main_file = file_box(
            t("solutions.main_file"), paths, project.train_file, f"export_main_{state}", t("solutions.main_file_help")
        )
        device = device_box(project.device, f"export_device_{state}")
    with right:
        test_file = file_box(t("solutions.test_file"), paths, project.test_file, f"export_test_{state}")
        arguments = st.text_input(t("solutions.arguments"), value=project.arguments, key=f"export_arguments_{state}")
        run_id = _run_box(runs, state)
    description = st.text_area(t("solutions.description"), value=project.description, key=f"export_about_{state}")
    return {
        "project_id": project.id,
        "name": name.strip(),
        "train_file": train_file,
        "test_file": test_file,
        "description": description,
        "main_file": main_file,
        "arguments": arguments,
        "device": device,
        "train_run_id": run_id,
    }


def _run_box(runs: list[Run], state: str) -> str | None:
    """Whose weights go along; the run named in the URL is chosen."""
    by_id = {run.id: run for run in runs if run.state in FINAL_STATES}
    asked = query_id("train_run") or query_id("run")
    chosen = st.selectbox(
        t("solutions.weights_of"),
        [NO_RUN, *by_id],
        index=1 + list(by_id).index(asked) if asked in by_id else 0,
        format_func=lambda run_id: run_label(by_id[run_id]) if run_id else t("solutions.no_weights"),
        key=f"export_run_{state}_{language()}",
        help=t("solutions.weights_help"),
    )
    return chosen or None


def _export(body: dict[str, str | None]) -> None:
    missing = [field for field in ("name", "train_file") if not body[field]]
    if missing:
        fields = ", ".join(t(f"solutions.export.{field}").rstrip(" *") for field in missing)
        st.warning(t("solutions.export.missing", fields=fields), icon=":material/edit:")
        return
    with error_box.guard(stop=False):
        with st.spinner(t("solutions.export.busy")):
            solution: Solution = api().create_solution(SolutionCreate.model_validate(body))
        remember(project=None, run=None, train_run=None, solution=solution.id)
        st.session_state[session_keys.JUST_EXPORTED] = solution.id
        st.rerun()
