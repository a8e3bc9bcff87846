"""A question before something is lost."""

from collections.abc import Callable

import streamlit as st

from app.components import error_box
from app.format import plain
from app.i18n import t


def ask(title: str, text: str, action_label: str, action: Callable[[], None], key: str) -> None:
    """Open a dialog; `action` runs when the user agrees. What the backend refuses is shown inside the dialog."""

    @st.dialog(title, icon=":material/delete:")
    def dialog() -> None:
        st.write(plain(text))
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button(t("confirm.cancel"), key=f"{key}_cancel"):
                st.rerun()
            is_agreed = st.button(action_label, key=f"{key}_agree", type="primary", icon=":material/delete:")
        if is_agreed:
            with error_box.guard(stop=False):
                action()
                st.rerun()

    dialog()
