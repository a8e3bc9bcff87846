"""Saves what was drawn as the next revision of an item, and what happens when somebody else was faster."""

import streamlit as st

from app.api_client import api
from app.api_requests import ApiError, ApiUnavailableError
from app.components import error_box
from app.components.annotation_draft import TRUTH, Draft, forget
from app.components.boxes import boxes_from_markup, markup_with_boxes
from app.format import moment, plain
from app.i18n import count, t
from app.query import remember
from backend.contracts.datasets import Dataset, DatasetItem, ItemRevision, MarkupUpdate

CONFLICT = 409


def show(item: DatasetItem, draft: Draft, dataset: Dataset) -> None:
    """Save, undo all, and whether there is anything to save."""
    unknown = draft.unknown_classes(dataset.classes)
    if unknown:
        st.warning(t("annotate.unknown_class", names=plain(", ".join(unknown))), icon=":material/label_off:")
    with st.container(horizontal=True, vertical_alignment="center"):
        is_pressed = st.button(
            t("annotate.save"),
            key="save_markup",
            type="primary",
            icon=":material/save:",
            shortcut="Ctrl+S",
            disabled=not draft.is_dirty or bool(unknown),
        )
        if st.button(t("annotate.undo_all"), key="undo_all", icon=":material/undo:", disabled=not draft.is_dirty):
            _start_over(draft)
        if draft.is_dirty:
            st.markdown(f":orange-badge[:material/edit: {t('annotate.unsaved')}]")
        else:
            st.markdown(f":green-badge[:material/check: {t('annotate.saved', revision=item.revision)}]")
    if is_pressed:
        _save(item, draft)
    if draft.conflict is not None:
        _show_conflict(item, draft)


def show_history(item: DatasetItem, draft: Draft, revisions: list[ItemRevision]) -> None:
    """Saved states, newest first; any of them can be taken back onto the canvas."""
    small = st.column_config.Column(width=62)
    newest_first = sorted(revisions, key=lambda revision: -revision.revision)
    with st.expander(count("annotate.revisions", len(revisions)), icon=":material/history:", key="revisions"):
        st.dataframe(
            [
                {
                    t("annotate.revision"): one.revision,
                    t("annotate.time"): moment(one.created_at),
                    t("annotate.origin"): _origin(one.source),
                    t("annotate.boxes"): len(boxes_from_markup(one.markup)),
                }
                for one in newest_first
            ],
            hide_index=True,
            key="revisions_table",
            column_config={t("annotate.revision"): small, t("annotate.boxes"): small, t("annotate.origin"): small},
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                t("annotate.revision"),
                newest_first,
                format_func=lambda one: f"{one.revision} · {moment(one.created_at)}",
                key=f"revision_{item.id}_{item.revision}",
            )
            if st.button(
                t("annotate.take"), key="take_revision", icon=":material/restore:", help=t("annotate.take_help")
            ):
                draft.replace(boxes_from_markup(chosen.markup))
                st.rerun()


def _save(item: DatasetItem, draft: Draft) -> None:
    update = MarkupUpdate(
        base_revision=draft.base_revision, markup=markup_with_boxes(item.markup, draft.boxes), source=draft.source
    )
    with error_box.guard(stop=False):
        try:
            saved = api().save_markup(item.id, update)
        except ApiUnavailableError:
            raise
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            draft.conflict = error
            return
        draft.accept(saved)
        if draft.source != TRUTH:  # the prediction is the saved markup now
            forget(draft.item_id, draft.source)
            remember(run=None, conf=None)
        st.toast(t("annotate.saved", revision=saved.revision), icon=":material/check_circle:")
        st.rerun()


def _show_conflict(item: DatasetItem, draft: Draft) -> None:
    error_box.show(draft.conflict)
    st.caption(t("annotate.conflict_kept"))
    with st.container(horizontal=True):
        if st.button(t("annotate.load_theirs"), key="load_theirs", icon=":material/refresh:"):
            forget(draft.item_id, draft.source)
            st.rerun()
        if st.button(t("annotate.keep_mine"), key="keep_mine", icon=":material/save:"):
            draft.base_revision, draft.conflict = item.revision, None
            _save(item, draft)


def _start_over(draft: Draft) -> None:
    draft.conflict = None
    if draft.source != TRUTH:
        forget(draft.item_id, draft.source)
        remember(run=None, conf=None)
    draft.replace(draft.saved)
    st.rerun()


def _origin(source: str) -> str:
    if source.startswith("run:"):
        return t("annotate.origin_run", run=source.removeprefix("run:")[:8])
    return t(f"annotate.origin_{source}") if source in ("import", "edit") else source
