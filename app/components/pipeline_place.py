"""A place in a pipeline file to which something led: a node of a graph, a problem, a failed run."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app import session_keys
from app.api_client import api
from app.query import remember


@dataclass
class Place:
    """`after` is the failure that the page showed when the place was gone to; a later failure matters more."""

    project_id: str
    path: str
    line: int
    column: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    after: str | None = None


def go_to(project_id: str, path: str, line: int, column: int = 1) -> None:
    """Open a pipeline file of the project at a place. Nothing happens if it has no such pipeline."""
    if not any(file.path == path for file in api().pipelines(project_id)):
        return
    st.session_state[session_keys.PIPELINE_PLACE] = Place(project_id, path, line, column)
    remember(pipeline=path, run=None)
    st.rerun()


def jump(project_id: str, path: str, failure_id: str) -> dict[str, Any] | None:
    """Where the editor of this file is to go, as it takes it. `failure_id` names the failure that is shown now."""
    place: Place | None = st.session_state.get(session_keys.PIPELINE_PLACE)
    if place is None or (place.project_id, place.path) != (project_id, path):
        return None
    if place.after is None:
        place.after = failure_id
    if place.after != failure_id:
        return None
    return {"id": place.id, "line": place.line, "column": place.column}
