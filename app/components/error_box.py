"""Errors of the backend as a box with what happened, what to do, and where; never a traceback."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.api_client import ApiError, ApiUnavailableError, api
from app.format import plain
from app.i18n import render, render_hint, t
from backend.contracts.base import Problem

RETRY_EVERY_S = 2
PROBLEMS_SHOWN = 200


@contextmanager
def guard(stop: bool = True) -> Iterator[None]:
    """Show an ApiError raised inside as a box. The rest of the page is skipped unless `stop` is False."""
    try:
        yield
    except ApiUnavailableError as error:
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
            t("problems.text"): " ".join(filter(None, [render(problem), render_hint(problem)])),
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


def show_reconnecting(error: ApiUnavailableError) -> None:
    """A box that tries again by itself and brings the page back when the backend answers."""
    st.warning(f"{plain(render(error))}\n\n{plain(render_hint(error))}", icon=":material/sync_problem:")
    st.button(t("reconnect.now"), key="reconnect_now", icon=":material/refresh:")
    _retry()


@st.fragment(run_every=RETRY_EVERY_S)
def _retry() -> None:
    try:
        is_back = api().health().get("status") == "ok"
    except ApiError:
        is_back = False
    if is_back:
        st.rerun()
    st.caption(t("reconnect.trying"))
