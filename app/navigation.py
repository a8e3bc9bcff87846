"""The pages, their groups and how to get from one to another."""

from pathlib import Path
from typing import NoReturn

import streamlit as st

from app.i18n import t

PAGES = Path(__file__).resolve().parents[1] / "pages"

# group -> (name, icon); the name gives the file <name>_page.py, the URL /<name> and the title nav.<name>
GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "work": (
        ("home", ":material/home:"),
        ("training", ":material/model_training:"),
        ("testing", ":material/fact_check:"),
        ("results", ":material/image_search:"),
        ("queue", ":material/low_priority:"),
    ),
    "data": (("datasets", ":material/photo_library:"), ("annotate", ":material/select_all:")),
    "code": (
        ("projects", ":material/folder_code:"),
        ("pipelines", ":material/account_tree:"),
        ("solutions", ":material/inventory_2:"),
    ),
}
ICONS = {name: icon for group in GROUPS.values() for name, icon in group}


def page_file(name: str) -> Path:
    """The file of the page called `name`."""
    return PAGES / f"{name}_page.py"


def sections() -> dict[str, list[st.Page]]:
    """Pages by translated group title, as st.navigation wants them."""
    return {
        t(f"nav.group.{group}"): [
            st.Page(page_file(name), title=t(f"nav.{name}"), icon=icon, url_path=name, default=name == "home")
            for name, icon in pages
        ]
        for group, pages in GROUPS.items()
    }


def link(name: str, label: str, icon: str | None = None, **query: str) -> None:
    """A link to another page, with values for its URL."""
    st.page_link(page_file(name), label=label, icon=icon or ICONS[name], query_params=query or None)


def go(name: str, **query: str) -> NoReturn:
    """Leave for another page at once."""
    st.switch_page(page_file(name), query_params=query or None)
