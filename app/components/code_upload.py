"""Brings code into a project: a zip, a folder of the reader's computer, or single files."""

import io
import zipfile
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import streamlit as st

from app.api_client import api
from app.components import error_box, uploader
from app.i18n import count, t
from backend.contracts.projects import Project


def show(project: Project) -> None:
    """Draw the three ways; a zip or a folder replaces the code, single files are added to it."""
    with_zip, with_folder, with_files = st.tabs(
        [t("projects.upload.zip"), t("projects.upload.folder"), t("projects.upload.files")], key="upload_tabs"
    )
    state = project.code.sha256[:12]  # a new state of the code empties the boxes
    with with_zip:
        st.caption(t("projects.upload.zip_what"))
        key = f"code_zip_{project.id}"
        changed = uploader.show("code", f"code/{project.id}", Project, t("projects.upload.start"), key=key)
        if changed is not None:
            _tell(changed)
    with with_folder:
        st.caption(t("projects.upload.folder_what"))
        files = st.file_uploader(
            t("projects.upload.choose_folder"),
            accept_multiple_files="directory",
            key=f"code_folder_{project.id}_{state}",
        )
        if _button("code_folder_start", not files):
            _upload(lambda: api().upload_code(project.id, zip_from_files((one.name, one) for one in files)))
    with with_files:
        st.caption(t("projects.upload.files_what"))
        _show_files(project, state)


def zip_from_files(files: Iterable[tuple[str, BinaryIO]]) -> BinaryIO:
    """An archive of (path, content), stored without compression; the backend judges the paths."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for path, content in files:
            writer.writestr(path, content.read())
    archive.seek(0)
    return archive


def _show_files(project: Project, state: str) -> None:
    files = st.file_uploader(
        t("projects.upload.choose_files"), accept_multiple_files=True, key=f"code_files_{project.id}_{state}"
    )
    folder = st.text_input(t("projects.upload.into"), key="code_files_into", placeholder="models").strip().strip("/")
    if _button("code_files_start", not files):

        def send() -> Project:
            changed = project
            for one in files:
                path = f"{folder}/{one.name}" if folder else one.name
                changed = api().upload_code_file(project.id, path, one)
            return changed

        _upload(send)


def _button(key: str, is_disabled: bool) -> bool:
    return st.button(
        t("projects.upload.start"), key=key, type="primary", icon=":material/upload:", disabled=is_disabled
    )


def _upload(request: Callable[[], Any]) -> None:
    with error_box.guard(stop=False):
        with st.spinner(t("projects.upload.busy")):
            project = request()
        _tell(project)


def _tell(project: Project) -> None:
    st.toast(count("projects.upload.done", len(project.code.files)), icon=":material/check_circle:")
    st.rerun()
