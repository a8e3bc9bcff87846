"""What a dataset holds: splits, classes, frozen versions, and what to do with it."""

import streamlit as st

from app.api_client import api
from app.components import confirm, error_box, near_copies
from app.components import facts as figures
from app.components.class_colours import colours
from app.format import moment, plain
from app.i18n import count, t
from app.query import remember
from backend.contracts.datasets import SPLITS, Dataset, DatasetVersion, DatasetVersionCreate, SplitCounts


def show(dataset: Dataset) -> None:
    """Counts, classes and warnings of `dataset`."""
    facts = []
    for split in SPLITS:
        counts = dataset.splits.get(split, SplitCounts())
        images, boxes = count("datasets.images", counts.images), count("datasets.boxes", counts.boxes)
        facts.append((t(f"datasets.sample.{split}"), images, boxes))
    state = "no_version" if not dataset.latest_version else "changed" if dataset.is_changed else "unchanged"
    facts.append((t("datasets.version"), str(dataset.latest_version or "–"), t(f"datasets.{state}")))
    figures.show(facts, colours(dataset.classes))
    # Near copies in several splits have a place of their own on the page.
    warnings = tuple(one for one in dataset.warnings if one.code != near_copies.CODE)
    if warnings:
        with st.expander(count("datasets.warnings", len(warnings)), icon=":material/warning:", key="warnings"):
            error_box.show_problems(warnings)


def show_actions(dataset: Dataset, versions: list[DatasetVersion]) -> None:
    """Versions, freeze and delete."""
    with st.popover(t("datasets.versions"), icon=":material/history:", key="versions"):
        _show_versions(dataset, versions)
    if st.button(t("datasets.delete"), key="delete_dataset", icon=":material/delete:"):
        confirm.ask(
            t("datasets.delete_title"),
            t("datasets.delete_text", name=dataset.name),
            t("datasets.delete"),
            lambda: _delete(dataset),
            key="delete_dataset_dialog",
        )


def _delete(dataset: Dataset) -> None:
    api().delete_dataset(dataset.id)
    remember(dataset=None, page=None, split=None, **{"class": None})
    st.toast(t("datasets.deleted", name=plain(dataset.name)), icon=":material/check_circle:")


def _show_versions(dataset: Dataset, versions: list[DatasetVersion]) -> None:
    st.caption(t("datasets.version_help"))
    if versions:
        rows = [
            {
                t("datasets.version"): version.number,
                t("datasets.created"): moment(version.created_at),
                **{t(f"split.{split}"): version.splits.get(split, SplitCounts()).images for split in SPLITS},
                t("datasets.boxes_column"): sum(counts.boxes for counts in version.splits.values()),
                t("datasets.note"): version.note,
                t("datasets.manifest"): version.manifest[:12],
            }
            for version in versions
        ]
        st.dataframe(rows, hide_index=True, key="versions_table")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        note = st.text_input(t("datasets.note"), key="version_note", disabled=not dataset.is_changed)
        if st.button(
            t("datasets.freeze"),
            key="freeze_version",
            icon=":material/ac_unit:",
            type="primary",
            disabled=not dataset.is_changed,
        ):
            with error_box.guard(stop=False):
                version = api().create_version(dataset.id, DatasetVersionCreate(note=note.strip()))
                st.toast(t("datasets.frozen", number=version.number), icon=":material/check_circle:")
                st.rerun()
    if not dataset.is_changed:
        st.caption(t("datasets.nothing_to_freeze"))
