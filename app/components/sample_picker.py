"""Which data a run works on: a dataset, its version, and which split plays which role."""

import streamlit as st

from app import navigation
from app.format import labels_by_id
from app.i18n import count, language, t
from app.query import query_id
from backend.contracts.datasets import SPLITS, Dataset, DatasetVersion, Split

NOW = 0
"""Stands for the state as it is; frozen versions count from 1. None would make the box clearable."""


def show_dataset(datasets: list[Dataset], key: str, preferred: str | None = None) -> Dataset | None:
    """A select box over datasets, at first on that of the URL or on `preferred`; without any, a way to get one."""
    if not datasets:
        st.info(t("sample.none"), icon=":material/photo_library:")
        navigation.link("datasets", t("sample.get"))
        return None
    by_id = {dataset.id: dataset for dataset in datasets}
    default = next((one for one in (query_id("dataset"), preferred) if one in by_id), next(iter(by_id)))
    chosen = st.selectbox(
        t("sample.dataset"),
        list(by_id),
        index=list(by_id).index(default),
        format_func=labels_by_id(datasets).__getitem__,
        key=f"{key}_dataset_{default}",
    )
    return by_id[chosen]


def show_contents(dataset: Dataset) -> None:
    """How many images each split holds, in one line."""
    st.caption(" / ".join(_split_label(dataset, split) for split in SPLITS))


def show_version(dataset: Dataset, versions: list[DatasetVersion], key: str) -> int | None:
    """A select box over frozen versions; first comes the state as it is now."""
    numbers = sorted((version.number for version in versions), reverse=True)
    chosen = st.selectbox(
        t("sample.version"),
        [NOW, *numbers],
        format_func=lambda number: t("sample.current") if number == NOW else t("sample.numbered", number=number),
        key=f"{key}_version_{dataset.id}_{language()}",
        help=t("sample.version_help"),
    )
    return chosen or None


def show_roles(dataset: Dataset, roles: tuple[Split, ...], key: str) -> dict[Split, Split]:
    """Which split plays which role; each plays itself unless told otherwise."""
    columns = st.columns(3)
    chosen: dict[Split, Split] = {}
    for column, role in zip(columns, roles, strict=False):
        with column:
            chosen[role] = st.selectbox(
                t(f"sample.role.{role}"),
                SPLITS,
                index=SPLITS.index(role),
                format_func=lambda split: _split_label(dataset, split),
                key=f"{key}_role_{role}_{dataset.id}_{language()}",  # Streamlit tells choices by their labels
            )
    return {role: split for role, split in chosen.items() if role != split}


def _split_label(dataset: Dataset, split: Split) -> str:
    counts = dataset.splits.get(split)
    return f"{t(f'split.{split}')} · {count('sample.images', counts.images if counts else 0)}"
