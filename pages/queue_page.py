"""Queue and devices: who computes what, what waits for what, and in which order."""

import streamlit as st

from app.api_client import api
from app.components import error_box, queue_list, worker_list
from app.i18n import count, t

REFRESH_EVERY_S = 2


@st.fragment(run_every=REFRESH_EVERY_S)
def show() -> None:
    with error_box.guard():
        workers, queue = api().workers(), api().queue()
        st.subheader(t("queue.devices"), anchor=False)
        worker_list.show(workers)
        st.subheader(count("queue.waiting", len(queue)), anchor=False)
        queue_list.show(queue)


st.title(t("nav.queue"), anchor=False)
show()
