"""The shell around every page: navigation, logo, language and the workstation's pulse. No page content here."""

import streamlit as st

from app import navigation, session_keys
from app.components import error_box, shell
from app.i18n import language, t

st.session_state.setdefault(session_keys.LANGUAGE, language())
st.set_page_config(page_title=t("app.name"), page_icon=shell.ICON, layout="wide")
shell.show_frame()
page = st.navigation(navigation.sections())
with st.sidebar:
    shell.show_sidebar()
error_box.page_begins(page.url_path)
page.run()
error_box.page_is_drawn(page.url_path)
