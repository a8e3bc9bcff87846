"""What a queued run waits for: a worker, a busy device, or the runs before it."""

import streamlit as st

from app.api_client import api
from app.i18n import count, t
from backend.contracts.runs import FINAL_STATES, Run

LISTED = 200


def show(run: Run) -> None:
    """One line while `run` has not been taken by a worker; nothing after."""
    if run.state in ("created", "queued"):
        st.caption(_sentence(run))


def _sentence(run: Run) -> str:
    if run.device not in {device.name for device in api().devices()}:
        return t("queue.no_worker", device=run.device)
    others = [one for one in api().runs(limit=LISTED) if one.device == run.device and one.state not in FINAL_STATES]
    busy = [one.number for one in others if one.state in ("starting", "running")]
    before = sum(one.state in ("created", "queued") and one.number < run.number for one in others)
    parts = []
    if busy:
        parts.append(t("queue.busy", device=run.device, numbers=", ".join(map(str, sorted(busy)))))
    if before:
        parts.append(count("queue.before", before))
    return " ".join(parts) or t("queue.next")
