"""Home: what this is, what is there, what to do next."""

import streamlit as st

from app.api_client import api
from app.components import error_box, first_steps, run_table
from app.i18n import t

RECENT_RUNS = 12

st.title(t("app.name"), anchor=False)
st.markdown(t("home.what"))
with error_box.guard():
    client = api()
    datasets, projects = client.datasets(), client.projects()
    recent = client.runs(limit=RECENT_RUNS)
    trained, tested = client.runs(kind="train", limit=50), client.runs(kind="test", limit=50)
first_steps.show(datasets, projects, trained, tested)
st.subheader(t("home.recent"), anchor=False)
if recent:
    run_table.show(recent)
else:
    st.caption(t("home.no_runs"))
