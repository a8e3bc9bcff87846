"""What surrounds a page: logo, small style corrections, language switch, the workstation's pulse."""

from pathlib import Path

import streamlit as st

from app import session_keys
from app.components import connection
from app.i18n import LANGUAGES, default_language, language, t

ASSETS = Path(__file__).resolve().parents[2] / "assets"
ICON = str(ASSETS / "logo-mark.svg")
STYLE = Path(__file__).resolve().parents[1] / "style.css"
STYLE_RU = STYLE.with_name("style_ru.css")


def show_frame() -> None:
    """Logo and style; call before the page."""
    theme = st.context.theme.type or "light"
    st.logo(str(ASSETS / f"logo-{language()}-{theme}.svg"), size="large", icon_image=ICON)
    st.html(STYLE)
    if language() == "ru":
        st.html(STYLE_RU)
    _keep_language_in_url()


def show_sidebar() -> None:
    """Language switch and the workstation's pulse."""
    st.segmented_control(
        t("shell.language"),
        LANGUAGES,
        format_func=str.upper,
        required=True,
        key=session_keys.LANGUAGE,
        persist_state="session",
        label_visibility="collapsed",
    )
    connection.show()


def _keep_language_in_url() -> None:
    """A reload starts a new session: the URL carries a choice that differs from the browser's own language."""
    if language() != default_language():
        if st.query_params.get("lang") != language():
            st.query_params["lang"] = language()
    elif "lang" in st.query_params:
        st.query_params.pop("lang")
