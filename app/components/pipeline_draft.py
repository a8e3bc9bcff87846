"""A pipeline file as it stands in the editor of this session, saved or not."""

import io
from dataclasses import dataclass
from typing import NoReturn

import streamlit as st
from streamlit.errors import StreamlitAPIException

from app import session_keys
from app.api_client import api
from app.components import pipeline_editor
from backend.contracts.pipelines import PipelineFile
from backend.contracts.projects import Project

EDITOR = "pipeline_editor"


@dataclass
class Draft:
    """`base`: hash of the file with the text `saved`. `generation` counts texts that the editor must take over."""

    project_id: str
    path: str
    base: str
    saved: str
    text: str
    generation: int = 0

    @property
    def doc(self) -> str:
        """Names the document that the editor shows."""
        return f"{self.project_id}/{self.path}/{self.generation}"

    @property
    def is_dirty(self) -> bool:
        """Whether there is anything to save."""
        return self.text != self.saved

    def replace(self, text: str) -> None:
        """Put another text into the editor."""
        self.text = text
        self.generation += 1

    def save(self) -> Project:
        """Write the text into the project's code."""
        changed = api().upload_code_file(self.project_id, self.path, io.BytesIO(self.text.encode()))
        self.saved = self.text
        self.base = next(file.sha256 for file in changed.code.files if file.path == self.path)
        return changed


def draw_again() -> NoReturn:
    """Run the workbench once more: alone where that is what runs now, with the whole page otherwise."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def current(project_id: str, file: PipelineFile) -> Draft:
    """The draft of a file with what was typed since. A file that changed elsewhere replaces an untouched draft."""
    drafts: dict[tuple[str, str], Draft] = st.session_state.setdefault(session_keys.PIPELINE_DRAFTS, {})
    draft = drafts.get((project_id, file.path))
    if draft is not None:
        typed = pipeline_editor.typed_text(draft.doc, EDITOR)
        draft.text = draft.text if typed is None else typed
    if draft is None or (draft.base != file.sha256 and not draft.is_dirty):
        # the whole object, not the shortened view of a code file; the editor knows one kind of line end
        text = api().object_bytes(file.sha256).decode("utf-8", errors="replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        generation = 0 if draft is None else draft.generation + 1
        draft = Draft(project_id, file.path, file.sha256, text, text, generation)
        drafts[project_id, file.path] = draft
    return draft
