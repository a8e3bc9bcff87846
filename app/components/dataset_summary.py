"""What a dataset holds: splits, classes, frozen versions, and what to do with it."""

import html

import streamlit as st

from app.api_client import api
from app.components import confirm, error_box
from app.components.class_colours import colours
from app.format import moment, plain
from app.i18n import count, t
from app.query import remember
from backend.contracts.datasets import SPLITS, Dataset, DatasetVersion, DatasetVersionCreate, SplitCounts


def show(dataset: Dataset, versions: list[DatasetVersion]) -> None:
    """Counts, classes, versions and warnings of `dataset`."""
    columns = st.columns(4)
    for column, split in zip(columns, SPLITS, strict=False):
        counts = dataset.splits.get(split, SplitCounts())
        column.metric(
            t(f"datasets.sample.{split}"),
            count("datasets.images", counts.images),
            count("datasets.boxes", counts.boxes),
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
    with columns[3]:
        state = "no_version" if not dataset.latest_version else "changed" if dataset.is_changed else "unchanged"
        st.metric(
            t("datasets.version"),
            str(dataset.latest_version or "–"),
            t(f"datasets.{state}"),
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=t("datasets.version_help"),
        )
    show_legend(dataset.classes)
    if dataset.warnings:
        with st.expander(count("datasets.warnings", len(dataset.warnings)), icon=":material/warning:", key="warnings"):
            error_box.show_problems(dataset.warnings)
    _show_versions(versions)


def show_legend(classes: tuple[str, ...]) -> None:
    """Class names beside their colours."""
    swatches = "".join(
        f'<span style="display:inline-flex;align-items:center;gap:.4em;margin:0 1.1em .25em 0">'
        f'<i style="width:.75em;height:.75em;border-radius:2px;background:{colour}"></i>{html.escape(name)}</span>'
        for name, colour in colours(classes).items()
    )
    st.html(f"<div>{swatches}</div>")


def show_actions(dataset: Dataset) -> None:
    """Freeze and delete."""
    if st.button(
        t("datasets.freeze"),
        key="freeze_version",
        icon=":material/ac_unit:",
        disabled=not dataset.is_changed,
        help=t("datasets.freeze_help"),
    ):
        with error_box.guard(stop=False):
            version = api().create_version(dataset.id, DatasetVersionCreate())
            st.toast(t("datasets.frozen", number=version.number), icon=":material/check_circle:")
            st.rerun()
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


def _show_versions(versions: list[DatasetVersion]) -> None:
    if not versions:
        return
    with st.expander(count("datasets.versions", len(versions)), icon=":material/history:", key="versions"):
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
