"""Results: predicted and true boxes on the images of a test run."""

import streamlit as st

from app import navigation, session_keys
from app.api_client import api
from app.components import error_box, picker, result_browser, run_deletion
from app.i18n import t
from app.query import query_id, remember
from backend.contracts.runs import Run


def shown_run(runs: list[Run]) -> Run:
    """The run of `?run=`, else the last one looked at, else the newest."""
    by_id = {run.id: run for run in runs}
    if asked := query_id("run"):
        return by_id.get(asked) or api().run(asked)
    remembered = st.session_state.get(session_keys.LAST_TEST_RUN)
    return by_id.get(remembered, runs[0])


st.title(t("nav.results"), anchor=False)
with error_box.guard():
    runs = api().runs(kind="test")
    if not runs and query_id("run") is None:
        st.info(t("results.empty"), icon=":material/image_search:")
        navigation.link("testing", t("results.to_testing"))
        st.stop()
    run = shown_run(runs)
    st.session_state[session_keys.LAST_TEST_RUN] = run.id
    remember(run=run.id)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width=480):
            picker.run(runs, run, with_project=True)
        run_deletion.show_button(run)
    result_browser.show(run)
