"""What the script printed: stdout and stderr, the tail while it runs."""

import streamlit as st

from app.api_client import api
from app.components import error_box
from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run

REFRESH_EVERY_S = 2
HEIGHT_PX = 420
CHARACTERS_SHOWN = 60_000


def show(run: Run) -> None:
    """One of the two streams, refreshed while the run lives."""
    is_live = run.state not in FINAL_STATES
    st.fragment(_log, run_every=REFRESH_EVERY_S if is_live else None)(run.id)


def _log(run_id: str) -> None:
    stream = st.segmented_control(
        t("log.stream"),
        ["stdout", "stderr"],
        default="stdout",
        required=True,
        key=f"log_stream_{run_id}",
        label_visibility="collapsed",
    )
    with error_box.guard():
        text = api().log(run_id, stream)
    if not text:
        st.caption(t("log.empty", stream=stream))
        return
    if len(text) > CHARACTERS_SHOWN:
        st.caption(t("log.tail", shown=CHARACTERS_SHOWN, total=len(text)))
        st.download_button(
            t("log.download"), text, f"{run_id}-{stream}.log", key=f"log_download_{run_id}", icon=":material/download:"
        )
    with st.container(height=HEIGHT_PX, autoscroll=True, border=False, key=f"log_{run_id}"):
        st.code(text[-CHARACTERS_SHOWN:], language=None)
