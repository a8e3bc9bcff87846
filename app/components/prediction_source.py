"""Where the boxes to correct come from: the saved markup, or what a test run predicted on this image."""

import streamlit as st

from app.api_client import api
from app.components import annotation_draft
from app.components.boxes import Box, boxes_from_markup
from app.format import moment
from app.i18n import language, t
from app.query import query_id, query_number, remember
from backend.contracts.datasets import DatasetItem
from backend.contracts.reports import Result
from backend.contracts.runs import Run

PAGE = 200
DEFAULT_PERCENT = 25
TRUTH = ""


def show(item: DatasetItem) -> tuple[str | None, float]:
    """A select box; returns the run's id (None for the saved markup) and the smallest confidence taken from it."""
    runs = {run.id: run for run in api().runs(kind="test") if _has_seen(run, item.dataset_id)}
    asked = query_id("run")
    if asked is not None and asked not in runs:
        runs[asked] = api().run(asked)
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        key = f"annotate_source_{item.id}_{asked}_{language()}"
        chosen = st.selectbox(
            t("annotate.source"),
            [TRUTH, *runs],
            index=0 if asked is None else 1 + list(runs).index(asked),
            format_func=lambda run_id: t("annotate.source_truth") if run_id == TRUTH else _label(runs[run_id]),
            key=key,
            width=340,
            help=t("annotate.source_help"),
        )
        percent = query_number("conf", DEFAULT_PERCENT, maximum=100)
        if chosen != TRUTH:
            percent = st.slider(
                t("annotate.confidence_from"),
                0,
                100,
                percent,
                format="%d %%",
                key=f"source_conf_{item.id}",
                width=200,
                help=t("annotate.confidence_help"),
                on_change=lambda: annotation_draft.forget(item.id, f"run:{chosen}"),
            )
    remember(run=chosen or None, conf=percent if chosen and percent != DEFAULT_PERCENT else None)
    return chosen or None, percent / 100


def predicted_boxes(run_id: str, item: DatasetItem, confidence: float) -> tuple[Box, ...] | None:
    """The run's boxes on `item` from `confidence` (0..1) up; None when it has no result for it."""
    result = _find(run_id, item)
    if result is None:
        return None
    return tuple(
        box for box in boxes_from_markup(result.prediction) if box.confidence is None or box.confidence >= confidence
    )


def _find(run_id: str, item: DatasetItem) -> Result | None:
    offset = 0
    while page := api().results(run_id, offset=offset, limit=PAGE).results:
        for result in page:
            if result.item_id == item.id:
                return result
        offset += len(page)
    return None


def _has_seen(run: Run, dataset_id: str) -> bool:
    return any(sample.dataset_id == dataset_id for sample in run.samples)


def _label(run: Run) -> str:
    return t("annotate.source_run", number=run.number, project=run.project_name, time=moment(run.created_at))
