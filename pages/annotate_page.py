"""Annotate, simple mode: draw, move, relabel and delete the boxes of one image."""

import streamlit as st

from app import navigation
from app.api_client import api
from app.components import (
    annotation_draft,
    box_table,
    canvas_editor,
    dataset_picker,
    error_box,
    item_steps,
    markup_saver,
    prediction_source,
    room,
)
from app.components.class_colours import colours
from app.format import plain
from app.i18n import count, t
from app.query import query_id, remember
from backend.contracts.datasets import Dataset, DatasetItem


def shown_item(datasets: list[Dataset]) -> tuple[Dataset, DatasetItem]:
    """What the URL asks for, else the first image of a dataset."""
    item_id = query_id("item")
    item = api().item(item_id) if item_id else None
    if item is not None:
        remember(dataset=item.dataset_id)
    with st.container(width=300):
        dataset = dataset_picker.show(datasets, drops=("item", "run", "conf"))
    item = item or item_steps.first_item(dataset)
    if item is None:
        st.info(t("annotate.no_images"), icon=":material/hide_image:")
        st.stop()
    remember(dataset=dataset.id, item=item.id)
    return dataset, item


def open_draft(item: DatasetItem) -> annotation_draft.Draft:
    run_id, confidence = prediction_source.show(item)
    if run_id is None:
        return annotation_draft.open_draft(item, annotation_draft.TRUTH)
    source, start = f"run:{run_id}", None
    if not annotation_draft.has_draft(item.id, source):
        start = prediction_source.predicted_boxes(run_id, item, confidence)
        if start is None:
            st.warning(t("annotate.no_prediction"), icon=":material/search_off:")
    return annotation_draft.open_draft(item, source, start)


def show_class_choice(dataset: Dataset, swatches: dict[str, str]) -> str:
    return st.pills(
        t("annotate.new_boxes"),
        dataset.classes,
        default=dataset.classes[0],
        format_func=lambda name: f':color[■]{{foreground="{swatches[name]}"}} {plain(name)}',
        required=True,
        key=f"class_{dataset.id}",
    )


st.title(t("nav.annotate"), anchor=False)
with error_box.guard():
    datasets = api().datasets()
    if not datasets:
        st.info(t("annotate.empty"), icon=":material/photo_library:")
        navigation.link("datasets", t("annotate.to_datasets"))
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        dataset, item = shown_item(datasets)
        draft = open_draft(item)
    if not dataset.classes:
        st.info(t("annotate.no_classes"), icon=":material/label_off:")
        st.stop()
    swatches = colours(dataset.classes)
    item_steps.show(dataset, item)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        class_name = show_class_choice(dataset, swatches)
        zoom = canvas_editor.show_zoom()
    with st.container(horizontal=True, gap="medium"):
        place_width = canvas_editor.place_width(item, zoom)
        with st.container(width=place_width):
            with st.container(gap=None):
                width = room.width("canvas", place_width)
                st.caption(t("annotate.how"))  # also keeps the place into which the canvas's toolbar rises
            canvas_editor.show(item, draft, width, zoom, class_name, swatches)
        with st.container(width="stretch"):
            st.markdown(f"**{plain(item.name)}**  \n{item.width} × {item.height} px")
            markup_saver.show(item, draft, dataset)
            box_table.show(draft, dataset.classes)
            markup_saver.show_history(item, draft, api().item_revisions(item.id))
            if others := annotation_draft.unsaved_items(but=item.id):
                st.caption(count("annotate.unsaved_others", len(others)))
                for other, source in others[:5]:
                    run = {"run": source.removeprefix("run:")} if source != annotation_draft.TRUTH else {}
                    navigation.link("annotate", plain(api().item(other).name), item=other, **run)
