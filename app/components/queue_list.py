"""The queue in the order of claims: what each run waits for, and how to change the order."""

from collections.abc import Callable

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import error_box, queue_place, run_badge
from app.format import plain
from app.i18n import t
from backend.contracts.runs import PRIORITY_MAX, QueuedRun, QueueMove, Run

RUNS_SHOWN = 50


def show(queue: list[QueuedRun]) -> None:
    """One row a run, the next one on top."""
    if not queue:
        st.caption(t("queue.empty"))
        return
    for place, queued in enumerate(queue[:RUNS_SHOWN]):
        above = queue[place - 1].run if place else None
        below = queue[place + 1].run if place + 1 < len(queue) else None
        with st.container(border=True, key=f"queued_{queued.run.id}"):
            _show_row(queued, above, below)
    if len(queue) > RUNS_SHOWN:
        st.caption(t("queue.more", shown=RUNS_SHOWN, total=len(queue)))


def _show_row(queued: QueuedRun, above: Run | None, below: Run | None) -> None:
    run = queued.run
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{queued.position}**", width="content")
        page = "training" if run.kind == "train" else "testing"
        navigation.link(page, run_badge.title(run), project=run.project_id, run=run.id)
        st.badge(plain(run.device), color="blue", icon=":material/memory:")
        for label in run.labels:
            st.badge(plain(label), color="gray", icon=":material/label:")
        st.space("stretch")
        _show_priority(run)
        _move_button("up", run, None if above is None else QueueMove(before=above.id))
        _move_button("down", run, None if below is None else QueueMove(after=below.id))
        _button("stop", run, ":material/stop_circle:", lambda: api().stop_run(run.id))
    st.caption(plain(queue_place.sentence(queued.waits_for)))


def _show_priority(run: Run) -> None:
    # the keys follow the priority, so that a change from elsewhere is shown
    key = f"priority_{run.id}_{run.priority}"
    with st.popover(t("queue.priority", priority=run.priority), width="content", key=f"{key}_open"):
        wanted = st.number_input(
            t("queue.new_priority"),
            min_value=-PRIORITY_MAX,
            max_value=PRIORITY_MAX,
            value=run.priority,
            key=key,
            help=t("queue.priority_help"),
        )
        is_pressed = st.button(t("queue.set_priority"), key=f"{key}_set", type="primary")
    if is_pressed:
        _act(lambda: api().set_priority(run.id, wanted))


def _move_button(verb: str, run: Run, move: QueueMove | None) -> None:
    def act() -> None:
        assert move is not None
        api().move_run(run.id, move)

    _button(verb, run, f":material/arrow_{verb}ward:", act, is_off=move is None)


def _button(verb: str, run: Run, icon: str, act: Callable[[], object], is_off: bool = False) -> None:
    if st.button("", key=f"{verb}_{run.id}", icon=icon, help=t(f"queue.{verb}"), disabled=is_off):
        _act(act)


def _act(act: Callable[[], object]) -> None:
    with error_box.guard(stop=False):
        act()
        st.rerun()
