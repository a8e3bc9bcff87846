"""What a queued run waits for, as the backend says it: a worker, a busy device, or the runs before it."""

import streamlit as st

from app import navigation
from app.format import plain
from app.i18n import render_whole, t
from backend.contracts.base import Reason
from backend.contracts.runs import Run


def show(run: Run) -> None:
    """One line and the way to the queue while `run` waits there; nothing after."""
    if run.waits_for is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(plain(sentence(run.waits_for)), width="content")
            navigation.link("queue", t("run.to_queue"))


def sentence(reason: Reason) -> str:
    """The reason and, where somebody has to do something, what."""
    return render_whole(reason)
