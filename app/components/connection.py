"""The pulse of the workstation in the sidebar, and a notice over the page while any part of it does not answer.

The browser asks /live/health by itself: a Streamlit rerun could not tell that Streamlit is away. What the server's side
does meanwhile is in error_box.
"""

from pathlib import Path

import streamlit as st

from app.i18n import language, t

_HERE = Path(__file__).parent
_HTML = """
<div class="arm-pulse" data-state="unknown"><i></i><span></span></div>
"""
_LABELS = ("ok", "reconnecting", "ui", "api", "mongo", "redis", "lasting")

_component = st.components.v2.component(
    "arm_connection",
    html=_HTML,
    css=(_HERE / "connection.css").read_text("utf-8"),
    js=(_HERE / "connection.js").read_text("utf-8"),
    isolate_styles=False,
)


def show() -> None:
    """Draw the pulse; the notice appears by itself."""
    labels = {label: t(f"connection.{label}") for label in _LABELS}
    _component(key="connection", data={"labels": labels, "language": language()})
