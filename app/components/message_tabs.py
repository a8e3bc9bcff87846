"""The information field: messages of a run by level, newest at the bottom and in sight."""

import html
from datetime import datetime

import streamlit as st

from app.api_client import api
from app.components import error_box
from app.format import browser_timezone
from app.i18n import render, t
from backend.contracts.reports import MESSAGE_LEVELS, Message
from backend.contracts.runs import FINAL_STATES, Run

REFRESH_EVERY_S = 1
MESSAGES_SHOWN = 500
HEIGHT_PX = 420


def show(run: Run) -> None:
    """Tabs info / warning / error with their counts, refreshed each second while the run lives."""
    is_live = run.state not in FINAL_STATES
    st.fragment(_messages, run_every=REFRESH_EVERY_S if is_live else None)(run.id)


def _messages(run_id: str) -> None:
    with error_box.guard():
        counts = api().run(run_id).message_counts
        level = st.segmented_control(
            t("messages.level"),
            MESSAGE_LEVELS,
            format_func=lambda level: f"{t(f'messages.{level}')} · {counts.get(level, 0)}",
            default="info",
            required=True,
            key=f"message_level_{run_id}",
            label_visibility="collapsed",
        )
        messages = api().messages(run_id, level=level, limit=MESSAGES_SHOWN)
    total = max(counts.get(level, 0), len(messages))
    if not messages:
        st.caption(t("messages.none"))
        return
    if total > len(messages):
        st.caption(t("messages.newest", shown=len(messages), total=total))
    with st.container(height=HEIGHT_PX, autoscroll=True, border=True, key=f"messages_{run_id}"):
        st.html(_table(messages))


def _table(messages: list[Message]) -> str:
    """Rows as HTML: thousands of Streamlit elements would be slow. Everything from the run is escaped."""
    zone = browser_timezone()
    rows = "".join(
        f'<div class="arm-message arm-message--{message.level}">'
        f"<time>{datetime.fromtimestamp(message.time, zone):%H:%M:%S}</time>"
        f"<span>{html.escape(_text(message))}</span></div>"
        for message in messages
    )
    return f'<div class="arm-messages">{rows}</div>'


def _text(message: Message) -> str:
    """The workstation's own messages come with a reason and speak the reader's language; a script's are its own."""
    return message.text if message.reason is None else render(message.reason)
