"""Back and forward through a row of images; the arrow keys press them."""

import streamlit as st

from app.i18n import t


def show_previous(key: str, index: int) -> bool:
    """Whether it was pressed; off at the first of the row."""
    return st.button(t("steps.previous"), key=key, icon=":material/chevron_left:", shortcut="Left", disabled=index == 0)


def show_next(key: str, index: int, total: int) -> bool:
    """Whether it was pressed; off at the last of the row."""
    return st.button(
        t("steps.next"),
        key=key,
        icon=":material/chevron_right:",
        icon_position="right",
        shortcut="Right",
        disabled=index + 1 >= total,
    )
