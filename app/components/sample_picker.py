"""Which data a run works on: a dataset, its version, and which split plays which role."""

import streamlit as st

from app import navigation
from app.i18n import count, t
from app.query import query_id
from backend.contracts.datasets import SPLITS, Dataset, DatasetVersion, Split


def show_dataset(datasets: list[Dataset], key: str) -> Dataset | None:
    """A select box over datasets; without any, a way to get one."""
    if not datasets:
        st.info(t("sample.none"), icon=":material/photo_library:")
        navigation.link("datasets", t("sample.get"))
        return None
    by_id = {dataset.id: dataset for dataset in datasets}
    asked = query_id("dataset")
    chosen = st.selectbox(
        t("sample.dataset"),
        list(by_id),
        index=list(by_id).index(asked) if asked in by_id else 0,
        format_func=lambda dataset_id: by_id[dataset_id].name,
        key=f"{key}_dataset",
    )
    return by_id[chosen]


def show_contents(dataset: Dataset) -> None:
    """How many images each split holds, in one line."""
    st.caption(" / ".join(_split_label(dataset, split) for split in SPLITS))


def show_version(dataset: Dataset, versions: list[DatasetVersion], key: str) -> int | None:
    """A select box over frozen versions; first comes the state as it is now."""
    numbers = sorted((version.number for version in versions), reverse=True)
    return st.selectbox(
        t("sample.version"),
        [None, *numbers],
        format_func=lambda number: t("sample.current") if number is None else t("sample.numbered", number=number),
        key=f"{key}_version_{dataset.id}",
        help=t("sample.version_help"),
    )


def show_roles(dataset: Dataset, roles: tuple[Split, ...], key: str) -> dict[Split, Split]:
    """Which split plays which role; each plays itself unless told otherwise."""
    columns = st.columns(3)
    chosen: dict[Split, Split] = {}
    for column, role in zip(columns, roles, strict=False):
        with column:
            chosen[role] = st.selectbox(
                t("sample.role", role=t(f"split.{role}")),
                SPLITS,
                index=SPLITS.index(role),
                format_func=lambda split: _split_label(dataset, split),
                key=f"{key}_role_{role}",
            )
    return {role: split for role, split in chosen.items() if role != split}


def _split_label(dataset: Dataset, split: Split) -> str:
    counts = dataset.splits.get(split)
    return f"{t(f'split.{split}')} · {count('sample.images', counts.images if counts else 0)}"
