"""One image of a test run: predicted and true boxes, what hit and what missed."""

from dataclasses import dataclass

import streamlit as st

from app import navigation
from app.components import box_image, facts, table_height
from app.components.box_matching import IOU_THRESHOLD, Matching, match
from app.components.boxes import Box, boxes_from_markup
from app.i18n import t
from backend.contracts.reports import Result

DEFAULT_PERCENT = 25


@dataclass(frozen=True)
class Filters:
    """What is drawn: predictions from `confidence` (0..1) up, one class or all (None)."""

    confidence: float
    class_name: str | None
    with_predictions: bool = True
    with_truth: bool = True


def show(result: Result, filters: Filters, colours: dict[str, str]) -> None:
    """The image, and counts and the table on the right of it or, where both have no room, below."""
    truths = _of_class(boxes_from_markup(result.truth), filters.class_name)
    predictions = [
        box
        for box in _of_class(boxes_from_markup(result.prediction), filters.class_name)
        if (box.confidence if box.confidence is not None else 1) >= filters.confidence
    ]
    matching = match(predictions, truths)
    with st.container(horizontal=True, gap="medium"):
        with st.container(key="result_image"):
            if result.image is None or not result.width or not result.height:
                st.warning(t("results.image_unknown"), icon=":material/hide_image:")
            else:
                shown = predictions if filters.with_predictions else [], truths if filters.with_truth else []
                box_image.show(result, *shown, colours)
        with st.container(key="result_boxes"):
            _show_counts(result, matching)
            _show_table(predictions, truths, matching)
            if result.item_id is not None and result.dataset_id is not None:
                _show_correct(result, filters)


def _of_class(boxes: tuple[Box, ...], class_name: str | None) -> list[Box]:
    return [box for box in boxes if class_name in (None, box.class_name)]


def _show_counts(result: Result, matching: Matching) -> None:
    if result.truth is None:
        st.caption(t("results.no_truth"))
        return
    values = {
        "hits": matching.true_positives,
        "extra": len(matching.false_positives),
        "missed": len(matching.false_negatives),
    }
    facts.show((t(f"results.{name}"), str(value), t(f"results.{name}_help")) for name, value in values.items())
    st.caption(t("results.rule", threshold=IOU_THRESHOLD))


def _show_table(predictions: list[Box], truths: list[Box], matching: Matching) -> None:
    rows = []
    for index, box in enumerate(predictions):
        hit = matching.pairs.get(index)
        verdict = t("results.verdict_hit", iou=f"{hit[1]:.2f}") if hit else t("results.verdict_extra")
        rows.append(_row(box, verdict))
    for index, box in enumerate(truths):
        is_missed = index in matching.false_negatives
        rows.append(_row(box, t("results.verdict_missed" if is_missed else "results.verdict_found")))
    if not rows:
        st.caption(t("results.no_boxes"))
        return
    st.dataframe(
        rows,
        hide_index=True,
        height=table_height.fitted(len(rows), 380),
        key="boxes_table",
    )


def _row(box: Box, verdict: str) -> dict[str, object]:
    return {
        t("results.class"): box.class_name,
        t("results.confidence"): "" if box.confidence is None else f"{box.confidence:.2f}",
        t("results.verdict"): verdict,
        t("results.size"): f"{box.x2 - box.x1:.0f} × {box.y2 - box.y1:.0f}",
        t("results.place"): f"{box.x1:.0f}, {box.y1:.0f}",
    }


def _show_correct(result: Result, filters: Filters) -> None:
    if st.button(t("results.correct"), key="correct", icon=":material/edit:", help=t("results.correct_help")):
        run = st.query_params.get("run", "")
        percent = str(round(filters.confidence * 100))
        navigation.go("annotate", dataset=result.dataset_id, item=result.item_id, run=run, conf=percent)
