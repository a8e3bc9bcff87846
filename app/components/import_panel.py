"""Three ways to get a dataset: a YOLO zip, a YOLO folder on the server, generated demo welds."""

from collections.abc import Callable
from pathlib import PurePosixPath

import streamlit as st

from app import session_keys
from app.api_client import api
from app.components import error_box, uploader
from app.i18n import t
from app.query import remember
from backend.contracts.datasets import Dataset, DemoImport, FolderImport

DEMO_IMAGES = 120
DEMO_IMAGES_RANGE = (3, 2000)


def show() -> None:
    """Draw the panel. What was imported becomes the dataset in the URL; a refusal is shown as a located table."""
    with_zip, with_folder, with_demo = st.tabs(
        [t("datasets.import.zip"), t("datasets.import.folder"), t("datasets.import.demo")], key="import_tabs"
    )
    with with_zip:
        _show_zip()
    with with_folder:
        _show_folder()
    with with_demo:
        _show_demo()


def _show_zip() -> None:
    st.caption(t("datasets.import.layout"))
    imported = uploader.show(
        "dataset",
        "dataset",
        Dataset,
        t("datasets.import.start"),
        key="import_zip",
        name_label=t("datasets.import.name"),
    )
    if imported is not None:
        _open(imported)


def _show_folder() -> None:
    st.caption(t("datasets.import.layout"))
    path = st.text_input(t("datasets.import.path"), key="import_folder_path", placeholder="/data/welds").strip()
    guess = PurePosixPath(path).name
    name = st.text_input(t("datasets.import.name"), value=guess, key=f"import_folder_name_{guess}", max_chars=200)
    if st.button(
        t("datasets.import.start"),
        key="import_folder_start",
        type="primary",
        icon=":material/drive_folder_upload:",
        disabled=not path or not name.strip(),
    ):
        _import(lambda: api().import_folder(FolderImport(path=path, name=name.strip())))


def _show_demo() -> None:
    st.caption(t("datasets.import.demo_what"))
    images = st.number_input(
        t("datasets.import.demo_images"), *DEMO_IMAGES_RANGE, DEMO_IMAGES, key="import_demo_images"
    )
    if st.button(t("datasets.import.demo_start"), key="import_demo", type="primary", icon=":material/auto_awesome:"):
        _import(lambda: api().import_demo(DemoImport(name=t("datasets.import.demo_name"), images=int(images))))


def _import(request: Callable[[], Dataset]) -> None:
    with error_box.guard(stop=False):
        with st.spinner(t("datasets.import.busy")):
            dataset = request()
        _open(dataset)


def _open(dataset: Dataset) -> None:
    st.session_state[session_keys.LAST_DATASET] = dataset.id
    remember(dataset=dataset.id, page=None, split=None, **{"class": None, "import": None})
    st.toast(t("datasets.import.done", name=dataset.name), icon=":material/check_circle:")
    st.rerun()
