"""What surrounds a page: logo, small style corrections, language switch, the backend's state."""

from pathlib import Path
from typing import Any

import streamlit as st

from app import session_keys
from app.api_client import ApiError, api
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
    """Language switch and the backend's pulse."""
    st.segmented_control(
        t("shell.language"),
        LANGUAGES,
        format_func=str.upper,
        required=True,
        key=session_keys.LANGUAGE,
        persist_state="session",
        label_visibility="collapsed",
    )
    _show_pulse()


@st.fragment(run_every=10)
def _show_pulse() -> None:
    health = _health()
    state = "ok" if health.get("status") == "ok" else "down" if not health else "degraded"
    colour = {"ok": "green", "degraded": "orange", "down": "red"}[state]
    st.markdown(f":small[:{colour}[●] :gray[{t(f'shell.backend.{state}')}]]")


@st.cache_data(ttl=4, show_spinner=False)
def _health() -> dict[str, Any]:
    """Shared by all sessions, so ten open tabs ask once."""
    try:
        return api().health()
    except ApiError:
        return {}


def _keep_language_in_url() -> None:
    """A reload starts a new session: the URL carries a choice that differs from the browser's own language."""
    if language() != default_language():
        if st.query_params.get("lang") != language():
            st.query_params["lang"] = language()
    elif "lang" in st.query_params:
        st.query_params.pop("lang")
