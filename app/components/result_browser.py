"""Steps through the images of a test run; place and filters live in the URL."""

import streamlit as st

from app.api_client import api
from app.components import result_view, step_buttons
from app.components.class_colours import colours
from app.i18n import t
from app.query import query_choice, query_number, remember
from backend.contracts.reports import ResultPage
from backend.contracts.runs import Run

PAGE = 200
NAMES_SHOWN = 2000


def show(run: Run) -> None:
    """Filters, the way to other images, and the image."""
    first = api().results(run.id, limit=1)
    if not first.total:
        st.info(t("results.none_yet" if run.state in ("queued", "starting", "running") else "results.none"))
        return
    class_name = query_choice("class", first.classes, "") or None
    index = query_number("image", default=1, minimum=1) - 1
    page = api().results(run.id, offset=index, limit=1, class_name=class_name)
    if not page.results and index:
        remember(image=None)
        st.rerun()
    filters = _show_filters(first.classes, class_name)
    if not page.results:
        st.info(t("results.nothing_found"), icon=":material/filter_alt_off:")
        return
    _show_steps(run, class_name, index, page)
    result = page.results[0]
    if any(sample.deleted_dataset for sample in run.samples):
        result = result.model_copy(
            update={"item_id": None, "dataset_id": None}
        )  # There is nothing to correct any more.
    result_view.show(result, filters, _colours(run, first.classes))


def _show_filters(classes: tuple[str, ...], class_name: str | None) -> result_view.Filters:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        percent = st.slider(
            t("results.confidence_from"),
            0,
            100,
            query_number("conf", result_view.DEFAULT_PERCENT, maximum=100),
            format="%d %%",
            key="confidence",
            width=280,
        )
        key = f"result_class_{class_name}"
        st.selectbox(
            t("results.class"),
            classes,
            index=classes.index(class_name) if class_name else None,
            placeholder=t("results.any_class"),
            key=key,
            width=240,
            on_change=lambda: remember(image=None, **{"class": st.session_state[key]}),
        )
        with_predictions = st.toggle(t("results.show_predictions"), value=True, key="with_predictions")
        with_truth = st.toggle(t("results.show_truth"), value=True, key="with_truth")
    remember(conf=None if percent == result_view.DEFAULT_PERCENT else percent)
    return result_view.Filters(percent / 100, class_name, with_predictions, with_truth)


def _show_steps(run: Run, class_name: str | None, index: int, page: ResultPage) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if step_buttons.show_previous("previous_image", index):
            _go_to(index - 1)
        names = _names(run.id, class_name, page.total)
        if index < len(names):
            key = f"image_name_{index}_{page.total}"
            st.selectbox(
                t("results.image"),
                range(len(names)),
                index=index,
                format_func=lambda number: names[number],
                key=key,
                width=360,
                label_visibility="collapsed",
                on_change=lambda: remember(image=st.session_state[key] + 1),
            )
        else:
            st.markdown(page.results[0].name)
        if step_buttons.show_next("next_image", index, page.total):
            _go_to(index + 1)
        st.caption(t("results.of", number=index + 1, total=page.total))


def _go_to(index: int) -> None:
    remember(image=index + 1)
    st.rerun()


@st.cache_data(ttl=120, max_entries=64, show_spinner=False)
def _names(run_id: str, class_name: str | None, total: int) -> list[str]:
    """Names of the first images in order; `total` belongs to the key because a running test adds images."""
    names: list[str] = []
    while len(names) < min(total, NAMES_SHOWN):
        page = api().results(run_id, offset=len(names), limit=PAGE, class_name=class_name)
        if not page.results:
            break
        names += [result.name for result in page.results]
    return names


def _colours(run: Run, met: tuple[str, ...]) -> dict[str, str]:
    """The colours of the run's dataset; classes that only the model knows come after."""
    is_known = bool(run.samples) and not run.samples[0].deleted_dataset
    known = tuple(api().dataset(run.samples[0].dataset_id).classes) if is_known else ()
    return colours([*known, *(name for name in met if name not in known)])
