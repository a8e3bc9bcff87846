"""Queue and devices: who computes what, what waits for what, and in which order."""

import streamlit as st

from app.api_client import api
from app.components import error_box, queue_list, run_history, worker_list
from app.i18n import count, t
from app.query import query_id, remember

REFRESH_EVERY_S = 2
RUNS_LISTED = 50


@st.fragment(run_every=REFRESH_EVERY_S)
def show() -> None:
    with error_box.guard():
        workers, queue = api().workers(), api().queue()
        st.subheader(t("queue.devices"), anchor=False)
        worker_list.show(workers)
        st.subheader(count("queue.waiting", len(queue)), anchor=False)
        queue_list.show(queue)


def show_ended() -> None:
    before = query_id("before")
    runs = api().runs(limit=RUNS_LISTED, before=before)
    st.subheader(t("history.title"), anchor=False)
    run_history.show(runs, key="ended_runs")
    with st.container(horizontal=True):
        if before is not None and st.button(t("history.newest"), key="newest_runs", type="tertiary"):
            remember(before=None)
            st.rerun()
        if len(runs) == RUNS_LISTED and st.button(t("history.older"), key="older_runs", type="tertiary"):
            remember(before=runs[-1].id)
            st.rerun()


st.title(t("nav.queue"), anchor=False)
show()
with error_box.guard():
    show_ended()
