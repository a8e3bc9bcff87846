"""The files of a code tree beside the text of one of them."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import streamlit as st

from app.api_client import api
from app.components import confirm, error_box, table_height
from app.format import plain, size
from app.i18n import count, t
from app.query import query_choice, remember
from backend.contracts.projects import CodeFile, Project

VIEW_PX = 560
LIST_PX = 300
_LANGUAGES = {"py": "python", "yaml": "yaml", "yml": "yaml", "json": "json", "md": "markdown", "toml": "toml"}
_LANGUAGES |= {"sh": "bash", "ini": "ini", "cfg": "ini", "js": "javascript", "ipynb": "json", "xml": "xml"}


def show(project: Project) -> None:
    """File list and viewer; the open file is in the URL."""
    paths = [file.path for file in project.code.files]
    preferred = next((path for path in (project.train_file, *_python_first(paths)) if path in paths), "")
    current = query_choice("file", paths, preferred)
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=LIST_PX):
            st.caption(count("projects.files", len(paths)))
            chosen = _show_list(project)
        with st.container(width="stretch"):
            _show_file(project, chosen or current)


def show_files(files: tuple[CodeFile, ...], key: str) -> None:
    """The list alone."""
    st.dataframe(_rows(files), hide_index=True, key=key, height=table_height.fitted(len(files), VIEW_PX))


def _show_selectable(files: tuple[CodeFile, ...], key: str, roles: Mapping[str, str]) -> int | None:
    """The list, a file's role behind its name; returns the index of the row that was clicked."""
    rows = _rows(files)
    for row, file in zip(rows, files, strict=True):
        if file.path in roles:
            row[t("projects.file")] += f" · {roles[file.path]}"
    shown = st.dataframe(
        rows,
        hide_index=True,
        key=key,
        height=table_height.fitted(len(files), VIEW_PX),
        on_select="rerun",
        selection_mode="single-row",
        column_config={t("projects.size"): st.column_config.TextColumn(width=76)},
    )
    selected = shown.selection.rows
    return selected[0] if selected else None


def _rows(files: tuple[CodeFile, ...]) -> list[dict[str, str]]:
    return [{t("projects.file"): file.path, t("projects.size"): size(file.size_bytes)} for file in files]


def _show_list(project: Project) -> str | None:
    roles = {project.train_file: t("projects.role_train"), project.test_file: t("projects.role_test")}
    key = f"code_list_{project.id}_{project.code.sha256[:12]}"
    row = _show_selectable(project.code.files, key, roles)
    if row is None:
        return None
    path = project.code.files[row].path
    remember(file=path)
    return path


def _show_file(project: Project, path: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(path)}**")
        st.space("stretch")
        if st.button(t("projects.delete_file"), key="delete_file", icon=":material/delete:", type="tertiary"):
            confirm.ask(
                t("projects.delete_file_title"),
                t("projects.delete_file_text", path=path),
                t("projects.delete_file"),
                lambda: _delete(project, path),
                key="delete_file_dialog",
            )
    with error_box.guard(stop=False):
        file = api().code_file(project.id, path)
        if file.is_binary:
            st.info(t("projects.binary"), icon=":material/draft:")
            return
        language = _LANGUAGES.get(PurePosixPath(path).suffix.lstrip(".").lower())
        st.code(file.text or " ", language=language, line_numbers=True, height=VIEW_PX)
        if file.is_truncated:
            st.caption(t("projects.truncated"))


def _delete(project: Project, path: str) -> None:
    api().delete_code_file(project.id, path)
    remember(file=None)


def _python_first(paths: list[str]) -> list[str]:
    return sorted(paths, key=lambda path: (not path.endswith(".py"), path))
