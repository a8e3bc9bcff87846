"""Errors of the backend as a box with what happened, what to do, and where; never a traceback."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import streamlit as st

from app import session_keys
from app.api_client import api
from app.api_requests import ApiError, ApiUnavailableError
from app.format import plain
from app.i18n import render, render_hint, render_whole, t
from backend.contracts.base import Problem

RETRY_EVERY_S = 2
HOLD_CHECK_EVERY_S = 1
MOST_HOLDS = 3
PROBLEMS_SHOWN = 200


@contextmanager
def guard(stop: bool = True) -> Iterator[None]:
    """Show an ApiError raised inside as a box. The rest of the page is skipped unless `stop` is False.

    While the backend is away a page that was on the screen stays there as it is and goes on when it answers again.
    """
    try:
        yield
    except ApiUnavailableError as error:
        if error.is_change:
            st.toast(t("reconnect.not_done"), icon=":material/sync_problem:", duration="long")
        if _can_hold():
            _hold()
        show_reconnecting(error)
        st.stop()
    except ApiError as error:
        show(error)
        if stop:
            st.stop()


def show(error: ApiError) -> None:
    """The box: message, hint, and a table of located problems."""
    hint = render_hint(error)
    st.error(plain(render(error)) + (f"\n\n{plain(hint)}" if hint else ""), icon=":material/error:")
    show_problems(error.problems)


def show_problems(problems: tuple[Problem, ...]) -> None:
    """Faults found in what was uploaded, one a row: file, line, what is wrong and what to do."""
    if not problems:
        return
    rows = [
        {
            t("problems.file"): problem.file or "",
            t("problems.line"): problem.line,
            t("problems.text"): render_whole(problem),
        }
        for problem in problems[:PROBLEMS_SHOWN]
    ]
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            t("problems.file"): st.column_config.TextColumn(width=230),
            t("problems.line"): st.column_config.NumberColumn(width=70, format="%d"),
            t("problems.text"): st.column_config.TextColumn(width=900),
        },
    )
    if len(problems) > PROBLEMS_SHOWN:
        st.caption(t("problems.more", shown=PROBLEMS_SHOWN, total=len(problems)))


def show_fault(error: Exception) -> bool:
    """A fault of a page itself: the reader gets a box, the log gets the traceback. True: Streamlit adds nothing."""
    logging.getLogger(__name__).error("a page failed", exc_info=error)
    st.error(
        f"{t('fault.message', detail=plain(type(error).__name__))}\n\n{t('fault.hint')}", icon=":material/bug_report:"
    )
    return True


def page_is_drawn(page: str) -> None:
    """Note that `page` has been drawn to its end: from now on there is something to keep on the screen."""
    st.session_state[session_keys.DRAWN_PAGE] = page
    st.session_state[session_keys.HOLDS] = 0


def page_begins(page: str) -> None:
    """Note that `page` is being drawn; nothing of another page is worth keeping."""
    if st.session_state.get(session_keys.DRAWN_PAGE) != page:
        st.session_state[session_keys.DRAWN_PAGE] = None


def _can_hold() -> bool:
    # a backend that says that it is well and still refuses must be told to the reader, not waited for without end
    is_drawn = st.session_state.get(session_keys.DRAWN_PAGE) is not None
    return is_drawn and st.session_state.get(session_keys.HOLDS, 0) < MOST_HOLDS


def _hold() -> NoReturn:
    """Wait for the backend inside this run of the script, then run the page again.

    The browser removes what a run did not draw when that run ends. As long as it has not ended, all fields, tabs and
    zoomed graphs stay as they are; the notice in the sidebar's component tells the reader why nothing moves.
    """
    while True:
        time.sleep(HOLD_CHECK_EVERY_S)
        # Streamlit hands over a click, or the end of the session, only where a run sends something to the browser
        st.set_page_config(page_title=t("connection.reconnecting"))
        if _is_back():
            st.session_state[session_keys.HOLDS] = st.session_state.get(session_keys.HOLDS, 0) + 1
            st.rerun()


def _is_back() -> bool:
    try:
        return api().health().get("status") == "ok"
    except ApiError:
        return False


def show_reconnecting(error: ApiUnavailableError) -> None:
    """A box that tries again by itself and brings the page back when the backend answers."""
    st.warning(f"{plain(render(error))}\n\n{plain(render_hint(error))}", icon=":material/sync_problem:")
    st.button(t("reconnect.now"), key="reconnect_now", icon=":material/refresh:")
    _retry(time.monotonic())


@st.fragment(run_every=RETRY_EVERY_S)
def _retry(shown_at: float) -> None:
    # not at once: a backend that says it is well and still refuses would be asked without a pause
    if time.monotonic() - shown_at >= RETRY_EVERY_S / 2 and _is_back():
        st.rerun()
    st.caption(t("reconnect.trying"))
