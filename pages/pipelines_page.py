"""Pipelines: edit a YAML pipeline with its problems at their lines, see its graphs, run it."""

import streamlit as st

from app.components import pipeline_screen
from app.i18n import t

st.title(t("nav.pipelines"), anchor=False)
pipeline_screen.show()
