"""The YAML editor of pipelines: CodeMirror 6 in a component, served from our own /vendor (docs/decisions/0041)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app.i18n import t
from backend.contracts.pipelines import MAX_TEXT, PipelineProblem

_HERE = Path(__file__).parent
_HTML = """
<div class="arm-editor">
  <div class="arm-editor__text"></div>
  <ul class="arm-editor__problems" aria-live="polite"></ul>
</div>
"""
_component = st.components.v2.component(
    "arm_pipeline_editor",
    html=_HTML,
    css=(_HERE / "pipeline_editor.css").read_text("utf-8"),
    js=(_HERE / "pipeline_editor.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Asked:
    """What the reader asked for in the editor: to save (Ctrl-S), help for a reference (F1)."""

    is_save: bool = False
    help_reference: str | None = None


def typed_text(doc: str, key: str) -> str | None:
    """What was typed into the document `doc` since it was opened, None if nothing was."""
    state = st.session_state.get(key)
    typed = state.get("text") if isinstance(state, dict) else None  # it came through the browser
    if not isinstance(typed, dict) or typed.get("doc") != doc or not isinstance(typed.get("text"), str):
        return None
    return typed["text"][:MAX_TEXT]


def show(
    doc: str,
    text: str,
    problems: Sequence[PipelineProblem],
    key: str,
    jump: dict[str, Any] | None = None,
    is_waiting: bool = False,
) -> Asked:
    """Draw the editor. Another `doc` replaces the text in the browser; the same one leaves what was typed alone.

    `problems` are those of `text`. `jump` is {id, line, column}: a new id moves the cursor there. While `is_waiting`
    the page is run again every second.
    """
    data = {
        "doc": doc,
        "text": text,
        "checked": text,
        "problems": [problem.model_dump() for problem in problems],
        "jump": jump,
        "poll": time.time() if is_waiting else 0,  # another value each time: equal data do not reach the browser
        "labels": {"editor": t("pipelines.editor"), "failed": t("pipelines.editor_failed")},
    }
    nothing = lambda: None  # noqa: E731 - a name for what the component wants to call
    result = _component(
        key=key,
        data=data,
        on_text_change=nothing,
        on_save_change=nothing,
        on_help_change=nothing,
        on_poll_change=nothing,
    )
    asked = result.get("help")
    return Asked(is_save=bool(result.get("save")), help_reference=asked if isinstance(asked, str) else None)
