"""The platform's markup JSON: what is drawn on one image (platform-spec S9). Coordinates are pixels of the image."""

from typing import Literal

from pydantic import Field

from backend.contracts.base import Contract


class ImageReference(Contract):
    """The `image` header of a markup file; both fields are usually empty, the file's name links it to its image."""

    representation: str = ""
    value: str = ""


class Shape(Contract):
    """A rectangle `[[x1, y1], [x2, y2]]`, x1 < x2 and y1 < y2; an image-level class has no shape (`type` None)."""

    type: Literal["rectangle"] | None = None
    exterior: tuple[tuple[float, float], ...] = ()
    interior: tuple[tuple[tuple[float, float], ...], ...] = ()


class Annotation(Contract):
    """One object on an image. `confidence` (0..1) is present on predictions and absent from ground truth."""

    description: str = "ObjectDetection"
    class_name: str = Field(alias="class")
    confidence: float | None = Field(default=None, ge=0, le=1)
    shape: Shape = Shape()


class Markup(Contract):
    """The markup of one image. Serialise with `by_alias=True, exclude_none=True` to get the platform's file."""

    version: int = 1
    image: ImageReference = ImageReference()
    annotation: tuple[Annotation, ...] = ()
