"""Home: what this is, what is there, what to do next."""

import streamlit as st

from app.i18n import t

st.title(t("nav.home"))
