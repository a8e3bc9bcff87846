"""Boxes drawn by hand on one image: streamlit-drawable-canvas, told and asked in pixels of the image."""

from urllib.parse import urlsplit

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from app.components.annotation_draft import Draft
from app.components.canvas_mapping import LABEL_PX, STROKE, Scale, boxes_from_drawing, drawing_from_boxes, fitted
from app.components.class_colours import UNKNOWN
from app.i18n import t
from backend.contracts.datasets import DatasetItem

FIT_WIDTH, FIT_HEIGHT = 760, 570
LARGEST_HEIGHT = 660
ZOOMS = (1.0, 1.5, 2.0, 3.0)
LARGEST_IMAGE_PX = 4096


def show_zoom() -> float:
    """The canvas cannot zoom by itself, but it can be larger than its place, which then scrolls."""
    return st.segmented_control(
        t("annotate.zoom"),
        ZOOMS,
        default=ZOOMS[0],
        format_func=lambda zoom: f"{zoom:g}×",
        required=True,
        key="canvas_zoom",
        persist_state="session",
    )


def place_width(item: DatasetItem, zoom: float) -> int:
    """How wide the place of the canvas should be, in pixels; a small image leaves more to the table beside it."""
    return max(fitted(item.width, item.height, FIT_WIDTH, FIT_HEIGHT).canvas_width if zoom == 1 else FIT_WIDTH, 440)


def show(item: DatasetItem, draft: Draft, width: int, zoom: float, class_name: str, colours: dict[str, str]) -> None:
    """Draw the canvas, at zoom 1 no wider than `width`, and take over what was drawn into `draft.boxes`.

    Its key changes whenever it must be filled anew, because a canvas under the same key answers once more with what
    it held before. A canvas that Streamlit has forgotten (the reader was on another page) is filled from the draft.
    """
    scale = fitted(item.width, item.height, min(width, FIT_WIDTH), FIT_HEIGHT, zoom)
    key = canvas_key(draft, scale)
    if key not in st.session_state and draft.boxes != draft.initial:
        draft.replace(draft.boxes)
    result = st_canvas(
        key=key,
        background_image=_image_url(item, scale.canvas_width),
        width=scale.canvas_width,
        height=scale.canvas_height,
        drawing_mode="labeled_rect",
        label=class_name,
        stroke_color=colours.get(class_name, UNKNOWN),
        stroke_width=STROKE,
        fill_color=f"{colours.get(class_name, UNKNOWN)}14",
        font_size=LABEL_PX,
        max_display_height=LARGEST_HEIGHT,
        initial_drawing=drawing_from_boxes(draft.initial, scale, colours),
    )
    drawn = result.boxes
    draft.boxes = boxes_from_drawing(drawn, scale, [*draft.initial, *draft.saved, *draft.boxes])
    if len(draft.boxes) != len(drawn):  # a dot left by a click, or a box dragged away: clean the canvas
        draft.replace(draft.boxes)
        st.rerun()


def canvas_key(draft: Draft, scale: Scale) -> str:
    """The widget's key. What a canvas holds is in its own pixels, so a canvas of another size is another one."""
    return f"canvas_{draft.item_id}_{draft.source}_{draft.generation}_{scale.canvas_width}"


def _image_url(item: DatasetItem, canvas_width: int) -> str | None:
    """An absolute address, because the canvas takes anything else for a file of this machine.

    The image at its own size where that is not much more than is shown, else a JPEG of twice the canvas.
    """
    if not st.context.url:
        return None
    page = urlsplit(st.context.url)
    width = min(item.width, LARGEST_IMAGE_PX, 2 * canvas_width)
    size = "" if width == item.width else f"?width={width}"
    return f"{page.scheme}://{page.netloc}/objects/{item.image}{size}"
