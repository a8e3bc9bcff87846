"""Tabs of which only the open one is drawn, so that closed ones cost nothing."""

from collections.abc import Mapping

import streamlit as st


def choose(label: str, names: Mapping[str, str], key: str) -> str:
    """Key of the open one of `names` (key to shown text), at first the first; `label` is what a screen reader says.

    Not `st.tabs(on_change="rerun")`: there the page sets the tab back to what a run began with, and where that run is
    answered after a newer click, and a part of the page refreshes itself just then, the click is lost (Streamlit 1.67).
    """
    return st.segmented_control(
        label,
        list(names),
        default=next(iter(names)),
        format_func=lambda name: names[name],
        required=True,
        key=f"tab_bar_{key}",
        label_visibility="collapsed",
        width="stretch",
    )
