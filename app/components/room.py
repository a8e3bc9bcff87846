"""How wide a place on the page is in this browser. Only for what must know its width in pixels before it is drawn."""

from pathlib import Path

import streamlit as st

from app import session_keys

_component = st.components.v2.component(
    "arm_room", html="<div></div>\n", js=(Path(__file__).parent / "room.js").read_text("utf-8")
)


def width(name: str, most_px: int) -> int:
    """Width in pixels of the container in which this is called, at most `most_px`.

    `most_px` until the browser has answered, which then runs the page once more; the answer is kept for this session.
    """
    key = f"room_{name}_{most_px}"
    measured = _component(key=key, data={"most": most_px}, on_width_change=lambda: None).get("width")
    known: dict[str, int] = st.session_state.setdefault(session_keys.ROOMS, {})
    if isinstance(measured, int) and measured > 0:  # it came through the browser
        known[key] = min(measured, most_px)
    return known.get(key, most_px)
