"""Runs as a table: to open one, or to choose several."""

from typing import Literal

import streamlit as st

from app import navigation
from app.components import run_badge
from app.format import browser_timezone, duration
from app.i18n import t
from backend.contracts.runs import Run


def show(runs: list[Run], key: str = "run_table") -> None:
    """One run a row, in the order given; choosing one opens it."""
    if chosen := _table(runs, key, "single-row"):
        page = "training" if chosen[0].kind == "train" else "testing"
        navigation.go(page, project=chosen[0].project_id, run=chosen[0].id)


def choose(runs: list[Run], key: str) -> list[Run]:
    """One run a row; the runs that the reader has ticked."""
    return _table(runs, key, "multi-row")


def _table(runs: list[Run], key: str, mode: Literal["single-row", "multi-row"]) -> list[Run]:
    rows = [
        {
            "number": run.number,
            "state": run_badge.state_name(run),
            "kind": t(f"run.kind.{run.kind}"),
            "project": run.project_name,
            "progress": run.progress / 100,
            "started": run.started_at.astimezone(browser_timezone()).replace(tzinfo=None) if run.started_at else None,
            "duration": duration((run.finished_at - run.started_at).total_seconds())
            if run.started_at and run.finished_at
            else "–",
        }
        for run in runs
    ]
    config = st.column_config
    event = st.dataframe(
        rows,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode=mode,
        column_config={
            "number": config.NumberColumn(t("run.column.number"), width=46, format="%d"),
            "state": config.TextColumn(t("run.column.state"), width=104),
            "kind": config.TextColumn(t("run.column.kind"), width=80),
            "project": config.TextColumn(t("run.column.project"), width=140),
            "progress": config.ProgressColumn(t("run.column.progress"), format="percent", width="small"),
            "started": config.DatetimeColumn(t("run.column.started"), format="DD.MM.YYYY HH:mm", width=130),
            "duration": config.TextColumn(t("run.column.duration"), width="small"),
        },
    )
    return [runs[row] for row in event.selection.rows if row < len(runs)]
