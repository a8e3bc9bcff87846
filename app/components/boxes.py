"""Boxes as pages handle them: a class and four numbers in pixels of the full image. Pure, from markup and back."""

from collections.abc import Iterable
from dataclasses import dataclass

from backend.contracts.markup import Annotation, Markup, Shape


@dataclass(frozen=True)
class Box:
    """A rectangle with x1 < x2 and y1 < y2 in image pixels; `confidence` 0..1 only on predictions."""

    class_name: str
    x1: float
    y1: float
    x2: float
    y2: float
    confidence: float | None = None

    @property
    def area(self) -> float:
        """Square pixels."""
        return max(0.0, self.x2 - self.x1) * max(0.0, self.y2 - self.y1)


def boxes_from_markup(markup: Markup | None) -> tuple[Box, ...]:
    """The rectangles of a markup in their order; image-level classes are left out."""
    if markup is None:
        return ()
    return tuple(
        Box(a.class_name, *a.shape.exterior[0], *a.shape.exterior[1], confidence=a.confidence)
        for a in markup.annotation
        if a.shape.type == "rectangle" and len(a.shape.exterior) == 2
    )


def markup_with_boxes(markup: Markup, boxes: Iterable[Box]) -> Markup:
    """`markup` with its rectangles replaced. Everything else stays; confidence goes, because a person vouches now."""
    kept = tuple(a for a in markup.annotation if a.shape.type != "rectangle")
    drawn = tuple(
        Annotation(
            class_name=box.class_name, shape=Shape(type="rectangle", exterior=((box.x1, box.y1), (box.x2, box.y2)))
        )
        for box in boxes
    )
    return markup.model_copy(update={"annotation": kept + drawn})
