"""What the script printed: the end of stdout or stderr, of all processes or of one, and a link to the whole file."""

from urllib.parse import quote

import streamlit as st

from app.api_client import api
from app.components import error_box, log_text
from app.format import size
from app.i18n import t
from backend.contracts.runs import FINAL_STATES, Run

REFRESH_EVERY_S = 2
HEIGHT_PX = 420
CHARACTERS_SHOWN = 60_000
TAIL_BYTES = 256 << 10
"""UTF-8 needs up to four bytes a character."""
TAIL_BYTES_OF_RANK = 4 << 20
"""One process has only some of the lines, so more of the file is looked through."""
EVERY_RANK = -1


def show(run: Run) -> None:
    """One of the two streams, refreshed while the run lives."""
    is_live = run.state not in FINAL_STATES
    st.fragment(_log, run_every=REFRESH_EVERY_S if is_live else None)(run.id, run.processes, is_live)


def _log(run_id: str, processes: int, is_live: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        stream = st.segmented_control(
            t("log.stream"),
            ["stdout", "stderr"],
            default="stdout",
            required=True,
            key=f"log_stream_{run_id}",
            label_visibility="collapsed",
        )
        rank = _rank(run_id, processes) if processes > 1 else None
        if not is_live:
            address = f"/download/runs/{quote(run_id, safe='')}/{stream}.log"
            st.space("stretch")
            st.link_button(t("log.download"), address, icon=":material/download:", type="tertiary")
    with error_box.guard():
        tail = api().log(run_id, stream, TAIL_BYTES if rank is None else TAIL_BYTES_OF_RANK)
    text, is_whole = log_text.shown_text(tail.content, tail.total_bytes, CHARACTERS_SHOWN, rank)
    if not text:
        st.caption(t("log.empty", stream=stream) if rank is None else t("log.empty_rank", rank=rank))
        return
    if is_live:
        st.caption(t("log.tail_live"))
    elif not is_whole:
        st.caption(t("log.tail", shown=size(len(text.encode())), total=size(tail.total_bytes)))
    with st.container(height=HEIGHT_PX, autoscroll=True, border=False, key=f"log_{run_id}"):
        st.code(text, language=None)


def _rank(run_id: str, processes: int) -> int | None:
    """Chips: all processes (None), or one of them."""
    chosen = st.pills(
        t("log.rank"),
        [EVERY_RANK, *range(processes)],
        format_func=lambda rank: t("log.every_rank") if rank == EVERY_RANK else t("log.one_rank", rank=rank),
        default=EVERY_RANK,
        required=True,
        key=f"log_rank_{run_id}",
        label_visibility="collapsed",
    )
    return None if chosen == EVERY_RANK else chosen
