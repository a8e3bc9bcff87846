"""Near copies of images in several splits: the warning, a look at them, and a dataset in which they stay together."""

import html
from urllib.parse import urlencode

import streamlit as st

from app import session_keys
from app.api_client import api
from app.components import error_box
from app.format import plain
from app.i18n import count, t
from app.query import remember
from backend.contracts.base import Problem
from backend.contracts.datasets import Dataset, GroupedSplitCreate, NearCopy, NearDuplicate, NearDuplicates, SplitCounts

CODE = "near_duplicates"
PAIRS_ASKED, PAIRS_SHOWN = 500, 12
THUMBNAIL_PX = 480


def show(dataset: Dataset) -> None:
    """The warning of `dataset` with what can be done; an offer to look where nobody ever looked; else nothing."""
    warning = next((one for one in dataset.warnings if one.code == CODE), None)
    if warning is not None:
        _show_warning(dataset, warning)
    elif not dataset.is_copy_checked and st.button(
        t("copies.check"), key="check_copies", icon=":material/content_copy:", help=t("copies.check_help")
    ):
        with error_box.guard(stop=False):
            with st.spinner(t("copies.busy")):
                report = api().near_duplicates(dataset.id, limit=0)
            st.toast(t("copies.checked" if any(report.leaked.values()) else "copies.clean"), icon=":material/check:")
            st.rerun()


def _show_warning(dataset: Dataset, warning: Problem) -> None:
    with st.container(border=True, key="near_copies"):
        st.warning(
            f"**{t('copies.title')}** {_affected(dataset, warning)} {t('copies.why')}", icon=":material/content_copy:"
        )
        with st.container(horizontal=True):
            if st.button(t("copies.look"), key="look_at_copies", icon=":material/compare:"):
                _show_examples(dataset)
            if st.button(t("copies.regroup"), key="regroup", icon=":material/call_split:", type="primary"):
                ask_regroup(dataset)


def _affected(dataset: Dataset, warning: Problem) -> str:
    parts = []
    for split in ("val", "test"):
        images = dataset.splits.get(split, SplitCounts()).images
        if affected := int(warning.params.get(split, 0)):
            parts.append(t(f"copies.in_{split}", count=affected, total=images))
    return t("copies.affected", parts=t("copies.and").join(parts))


def _show_examples(dataset: Dataset) -> None:
    @st.dialog(t("copies.look_title"), width="large", icon=":material/compare:")
    def dialog() -> None:
        with error_box.guard(stop=False):
            with st.spinner(t("copies.busy")):
                report = api().near_duplicates(dataset.id, limit=PAIRS_ASKED)
            st.caption(t("copies.look_text"))
            pairs = "".join(_pair(dataset, pair) for pair in _examples(report))
            st.html(f'<div class="arm-pairs">{pairs}</div>')
            st.caption(_totals(report))

    dialog()


def _examples(report: NearDuplicates) -> list[NearDuplicate]:
    """Pairs across splits, the most alike first, but each image once before any image twice."""
    seen: set[str] = set()
    fresh, repeated = [], []
    for pair in report.pairs:
        if pair.left.split != pair.right.split:
            ids = {pair.left.item_id, pair.right.item_id}
            (repeated if ids & seen else fresh).append(pair)
            seen |= ids
    return [*fresh, *repeated][:PAIRS_SHOWN]


def _totals(report: NearDuplicates) -> str:
    grouped = sum(map(len, report.groups))
    sentence = t("copies.totals", count=len(report.groups), images=grouped, total=report.image_count)
    return sentence if report.is_complete else f"{sentence} {t('copies.incomplete')}"


def _pair(dataset: Dataset, pair: NearDuplicate) -> str:
    percent = f"{pair.likeness:.0%}".replace("%", " %")
    likeness = html.escape(t("copies.likeness", percent=percent, distance=pair.distance))
    return (
        f"<figure><div>{_side(dataset, pair.left)}{_side(dataset, pair.right)}</div><small>{likeness}</small></figure>"
    )


def _side(dataset: Dataset, copy: NearCopy) -> str:
    href = f"/annotate?{urlencode({'dataset': dataset.id, 'item': copy.item_id})}"
    source = f"/objects/{copy.image}?width={THUMBNAIL_PX}"
    name, split = html.escape(copy.name), html.escape(t(f"split.{copy.split}"))
    return (
        f'<a href="{html.escape(href)}" target="_blank" title="{name}"><img src="{html.escape(source)}" alt="{name}">'
        f"<span><b>{split}</b> {name}</span></a>"
    )


def ask_regroup(dataset: Dataset) -> None:
    """Say what a split by groups does; make it when the user agrees, and lead to the new dataset."""

    @st.dialog(t("copies.regroup_title"), icon=":material/call_split:")
    def dialog() -> None:
        images = sum(counts.images for counts in dataset.splits.values())
        st.write(t("copies.regroup_text", name=plain(dataset.name), images=count("datasets.images", images)))
        suggested = t("copies.regroup_default", name=dataset.name[:180])
        name = st.text_input(t("datasets.import.name"), value=suggested, key="regroup_name", max_chars=200)
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button(t("confirm.cancel"), key="regroup_cancel"):
                st.rerun()
            is_agreed = st.button(
                t("copies.regroup_do"), key="regroup_agree", type="primary", disabled=not name.strip()
            )
        if is_agreed:
            with error_box.guard(stop=False), st.spinner(t("copies.regroup_busy")):
                _open(api().create_grouped_split(dataset.id, GroupedSplitCreate(name=name.strip())))

    dialog()


def _open(dataset: Dataset) -> None:
    st.session_state[session_keys.LAST_DATASET] = dataset.id
    remember(dataset=dataset.id, page=None, split=None, **{"class": None})
    st.toast(t("copies.regrouped", name=plain(dataset.name)), icon=":material/check_circle:")
    st.rerun()
