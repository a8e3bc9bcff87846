"""Pages of a dataset's images with filters; the filters live in the URL."""

from typing import get_args

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import dataset_grid
from app.i18n import count, language, t
from app.query import query_choice, query_number, remember
from backend.contracts.datasets import SPLITS, Dataset, Split

PAGE_SIZES = (24, 48, 96)
EVERYTHING = "all"
PAGER_PX = 330  # left to itself the pager of two pages hides the second
_SPLIT_CHOICES = (EVERYTHING, *get_args(Split))


def show(dataset: Dataset) -> None:
    """Filters, the grid and the pages; a click on an image leads to its markup."""
    split, class_name, size = _show_filters(dataset)
    page = query_number("page", default=1, minimum=1)
    found = api().items(dataset.id, split, class_name, offset=(page - 1) * size, limit=size)
    page_count = max(1, -(-found.total // size))
    if page > page_count:
        remember(page=None)
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(count("datasets.found", found.total))
        st.space("stretch")
        if page_count > 1:
            _show_pages(page, page_count)
    if not found.items:
        st.info(t("datasets.nothing_found"), icon=":material/filter_alt_off:")
        return
    opened = dataset_grid.show(found.items, dataset.classes)
    if opened is not None:
        navigation.go("annotate", dataset=dataset.id, item=opened)


def _show_filters(dataset: Dataset) -> tuple[str | None, str | None, int]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = st.segmented_control(
            t("datasets.split"),
            _SPLIT_CHOICES,
            default=query_choice("split", SPLITS, EVERYTHING),
            format_func=lambda one: t("datasets.all_splits" if one == EVERYTHING else f"split.{one}"),
            required=True,
            key=f"split_filter_{dataset.id}_{language()}",
            on_change=_back_to_first_page,
        )
        known = query_choice("class", dataset.classes, "")
        class_name = st.selectbox(
            t("datasets.class"),
            dataset.classes,
            index=dataset.classes.index(known) if known else None,
            placeholder=t("datasets.any_class"),
            key=f"class_filter_{dataset.id}",
            width=210,
            on_change=_back_to_first_page,
        )
        size = st.selectbox(
            t("datasets.page_size"), PAGE_SIZES, key="page_size", width=96, on_change=_back_to_first_page
        )
    remember(split=None if split == EVERYTHING else split, **{"class": class_name})
    return (None if split == EVERYTHING else split), class_name, size


def _show_pages(page: int, page_count: int) -> None:
    # the key holds the current page: after a filter the pager starts anew
    key = f"pages_{page}_{page_count}"
    st.pagination(
        page_count, default=page, width=PAGER_PX, key=key, on_change=lambda: remember(page=st.session_state[key])
    )


def _back_to_first_page() -> None:
    remember(page=None)
