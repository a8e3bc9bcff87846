"""Sends one file of any size to the backend in chunks, with progress, cancel and resume; the browser does the work."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import streamlit as st
from pydantic import TypeAdapter, ValidationError

from app.api_requests import ApiError
from app.components import error_box
from app.i18n import language, t
from backend.contracts.base import ErrorReply

_HERE = Path(__file__).parent
_LABELS = (
    *("choose", "drop", "change", "sending", "checking", "left", "speed", "cancel", "resume"),
    *("lost", "waiting", "cancelled", "not_zip", "lost_at_end", "units", "seconds", "minutes"),
)
_component = st.components.v2.component(
    "arm_uploader",
    html='<div class="arm-uploader"></div>',
    css=(_HERE / "uploader.css").read_text("utf-8"),
    js=(_HERE / "uploader.js").read_text("utf-8"),
)

T = TypeVar("T")


def show(
    purpose: Literal["dataset", "code"],
    finish_path: str,
    shape: type[T],
    start_label: str,
    key: str,
    name_label: str | None = None,
) -> T | None:
    """Draw the uploader; what the backend made of the file just sent, once, else None.

    The file goes to POST /upload/{id}/`finish_path`, with `?name=` where there is a `name_label`. A refusal is shown
    here as an error box and stays until the next attempt.
    """
    labels = {label: t(f"uploader.{label}") for label in _LABELS} | {"start": start_label}
    data = {
        "purpose": purpose,
        "finish": finish_path,
        "labels": labels,
        "language": language(),
        "nameLabel": name_label,
    }
    ended = _component(key=key, data=data, on_ended_change=lambda: None).get("ended")
    seen = f"{key}_refused"
    if isinstance(ended, dict):
        st.session_state[seen] = ended
        if ended.get("ok") is True:
            st.session_state.pop(seen)
            return TypeAdapter(shape).validate_python(ended.get("reply"), strict=False)
    if isinstance(refused := st.session_state.get(seen), dict):
        error_box.show(_error(refused))
    return None


def _error(ended: dict[str, Any]) -> ApiError:
    """Everything here came through the browser: what does not look like a refusal is shown as an unknown one."""
    status = ended.get("status")
    try:
        reply = ErrorReply.model_validate(ended.get("reply"))
    except ValidationError:
        reply = ErrorReply(
            code="api_unexpected_reply", params={"request": "POST /upload", "status": status}, message=""
        )
    return ApiError(reply, status if isinstance(status, int) else 0)
