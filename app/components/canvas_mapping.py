"""Between pixels of the image and pixels of the drawing canvas. Pure, so that drift can be tested without a browser.

Fabric.js puts `left` and `top` on the outer edge of the stroke while `width` and `height` leave the stroke out; a box
here is the middle line of the stroke, which is what a person sees as the box.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.components.boxes import Box
from app.components.class_colours import UNKNOWN

STROKE = 2
LABEL_PX = 13
SAME_PX = 0.02  # of a canvas pixel: Fabric writes four decimals, a hand moves at least one pixel
SMALLEST_PX = 4  # of the canvas: a click without a drag leaves a dot of 2 to 4 pixels


@dataclass(frozen=True)
class Scale:
    """Size of the image and of the canvas that shows it; x and y differ slightly because both sizes are whole."""

    image_width: int
    image_height: int
    canvas_width: int
    canvas_height: int

    @property
    def x(self) -> float:
        """Canvas pixels per image pixel."""
        return self.canvas_width / self.image_width

    @property
    def y(self) -> float:
        """Canvas pixels per image pixel."""
        return self.canvas_height / self.image_height


def fitted(image_width: int, image_height: int, width: int, height: int, zoom: float = 1.0) -> Scale:
    """The largest canvas of the image's shape inside `width` x `height`, then `zoom` times that."""
    factor = min(width / image_width, height / image_height) * zoom
    return Scale(image_width, image_height, max(1, round(image_width * factor)), max(1, round(image_height * factor)))


def drawing_from_boxes(boxes: Iterable[Box], scale: Scale, colours: Mapping[str, str]) -> dict[str, Any]:
    """The canvas's initial drawing, each box in the colour of its class."""
    return {"objects": [_labeled_rect(box, scale, colours.get(box.class_name, UNKNOWN)) for box in boxes]}


def _labeled_rect(box: Box, scale: Scale, colour: str) -> dict[str, Any]:
    """What streamlit_drawable_canvas.boxes_to_drawing makes; that package cannot be imported outside Streamlit."""
    return {
        "type": "LabeledRect",
        "label": box.class_name,
        "left": box.x1 * scale.x - STROKE / 2,
        "top": box.y1 * scale.y - STROKE / 2,
        "width": (box.x2 - box.x1) * scale.x,
        "height": (box.y2 - box.y1) * scale.y,
        "originX": "left",
        "originY": "top",
        "scaleX": 1,
        "scaleY": 1,
        "angle": 0,
        "stroke": colour,
        "strokeWidth": STROKE,
        "fill": f"{colour}14",
        "fontSize": LABEL_PX,
        "lockRotation": True,
        "strokeUniform": True,
    }


def boxes_from_drawing(drawn: Iterable[Mapping[str, Any]], scale: Scale, known: Sequence[Box]) -> tuple[Box, ...]:
    """Boxes in image pixels, inside the image. One that was not touched comes back as the very object in `known`.

    Dots that a click left behind, and boxes dragged out of the image, are dropped.
    """
    free = list(known)
    boxes = []
    for one in drawn:
        box = _box(one, scale)
        same = next((other for other in free if _is_same(box, other, scale)), None)
        if same is not None:
            free.remove(same)
            boxes.append(same)
        elif one["width"] > SMALLEST_PX or one["height"] > SMALLEST_PX:
            inside = _clipped(box, scale)
            boxes += [inside] if inside.area > 0 else []
    return tuple(boxes)


def _box(one: Mapping[str, Any], scale: Scale) -> Box:
    x1 = (one["left"] + STROKE / 2) / scale.x
    y1 = (one["top"] + STROKE / 2) / scale.y
    return Box(str(one["label"]), x1, y1, x1 + one["width"] / scale.x, y1 + one["height"] / scale.y)


def _is_same(box: Box, other: Box, scale: Scale) -> bool:
    return (
        box.class_name == other.class_name
        and max(abs(box.x1 - other.x1), abs(box.x2 - other.x2)) * scale.x < SAME_PX
        and max(abs(box.y1 - other.y1), abs(box.y2 - other.y2)) * scale.y < SAME_PX
    )


def _clipped(box: Box, scale: Scale) -> Box:
    """Inside the image, to a hundredth of a pixel: more digits would say more than a hand can."""
    return Box(
        box.class_name,
        round(min(max(box.x1, 0), scale.image_width), 2),
        round(min(max(box.y1, 0), scale.image_height), 2),
        round(min(max(box.x2, 0), scale.image_width), 2),
        round(min(max(box.y2, 0), scale.image_height), 2),
    )
