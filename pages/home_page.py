"""Home: what this is, what is there, what to do next."""

import streamlit as st

from app.api_client import api
from app.components import error_box, first_steps, recent_runs
from app.i18n import t

st.title(t("app.name"), anchor=False)
st.markdown(t("home.what"))
with error_box.guard():
    client = api()
    trained = client.runs(kind="train", limit=first_steps.LISTED)
    tested = client.runs(kind="test", limit=first_steps.LISTED)
    first_steps.show(client.datasets(), client.projects(), trained, tested)
    st.subheader(t("home.recent"), anchor=False)
    recent_runs.show()
