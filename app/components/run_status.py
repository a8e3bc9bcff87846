"""How a run is doing: state, progress, why it ended, where and how long; refreshed each second until it is settled."""

from datetime import UTC, datetime

import streamlit as st

from app.api_client import api
from app.components import error_box, queue_place, run_badge, run_repeats
from app.format import duration, moment, plain
from app.i18n import render_whole, t
from backend.contracts.runs import FINAL_STATES, Run

REFRESH_EVERY_S = 1
STDERR_LINES_SHOWN = 40
WAIT_WORTH_SAYING_S = 3
SILENCE_WORTH_SAYING_S = 12
"""Agents report every five seconds; after 30 the run is lost."""


def show(run: Run) -> None:
    """The status of `run`. When it becomes final, and again when it has been repeated as it was asked beforehand, the
    whole page is run once more, so that every part is complete.
    """
    if _is_settled(run):
        _draw(run)
    else:
        st.fragment(_refresh, run_every=REFRESH_EVERY_S)(run.id, run.state in FINAL_STATES)


def _refresh(run_id: str, was_final: bool) -> None:
    with error_box.guard():
        run = api().run(run_id)
        if _is_settled(run) or (run.state in FINAL_STATES and not was_final):
            st.rerun()
        _draw(run)


def _is_settled(run: Run) -> bool:
    return run.state in FINAL_STATES and not run_repeats.is_due(run)


def _draw(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        run_badge.show(run)
        st.markdown(f"**{t('run.progress', percent=f'{run.progress:.0f}')}**", width="content")
        if run.state in FINAL_STATES:
            run_repeats.show_button(run)
        else:
            _stop_button(run)
        st.markdown(_facts(run), width="stretch")  # last: where there is no room for it, it has a row of its own
    st.progress(min(max(run.progress / 100, 0.0), 1.0))
    queue_place.show(run)
    _show_silence(run)
    run_repeats.show_links(run)
    _show_reason(run)


def _show_silence(run: Run) -> None:
    """Between the last sign of life and the verdict `lost` the page must not pretend that all is well."""
    if run.state not in ("starting", "running") or run.heartbeat_at is None:
        return
    silent_s = (datetime.now(UTC) - run.heartbeat_at).total_seconds()
    if silent_s >= SILENCE_WORTH_SAYING_S:
        silence = t("run.silent", worker=plain(run.worker), duration=duration(silent_s))
        st.caption(f":orange[:material/sync_problem: {silence}]")


def _facts(run: Run) -> str:
    seconds, waited = None, run.timings.queue_s or 0
    if run.started_at is not None:
        seconds = ((run.finished_at or datetime.now(UTC)) - run.started_at).total_seconds()
    facts = [
        t("run.fact.started", time=moment(run.started_at)) if run.started_at else t("run.fact.not_started"),
        t("run.fact.took" if run.state in FINAL_STATES else "run.fact.elapsed", duration=duration(seconds))
        if seconds is not None
        else "",
        t("run.fact.waited", duration=duration(waited)) if waited >= WAIT_WORTH_SAYING_S else "",
        t("run.fact.first_call", duration=duration(run.timings.first_line_s)) if run.timings.first_line_s else "",
        t("run.fact.worker", worker=plain(run.worker)) if run.worker else "",
    ]
    return ":small[:gray[" + " · ".join(filter(None, facts)) + "]]"


def _stop_button(run: Run) -> None:
    is_pressed = st.button(
        t("run.stop"),
        key=f"stop_{run.id}",
        icon=":material/stop_circle:",
        disabled=run.is_stop_requested,
    )
    if is_pressed:
        with error_box.guard(stop=False):
            api().stop_run(run.id)
        st.rerun(scope="fragment")


def _show_reason(run: Run) -> None:
    if run.reason is None:
        return
    sentence = plain(render_whole(run.reason))
    if run.state in ("failed", "lost"):
        st.error(sentence, icon=":material/error:")
        if run.stderr_tail.strip():
            st.caption(t("run.stderr_tail"))
            lines = run.stderr_tail.rstrip().splitlines()[-STDERR_LINES_SHOWN:]
            st.code("\n".join(lines), language=None, wrap_lines=True)
    else:
        st.caption(sentence)
