"""One colour per class, the same on every page: it depends only on the class's index in its dataset."""

import colorsys
from collections.abc import Sequence

# bright enough for dark radiographs, apart from each other for eyes that mix red and green
PALETTE = (
    "#ff5a5f",
    "#ffb020",
    "#29b6f6",
    "#3ddc84",
    "#b98cff",
    "#ff7ac6",
    "#f4e04d",
    "#19c7b7",
    "#ff8a50",
    "#8fb4ff",
    "#a6d93a",
    "#d0a37a",
)
UNKNOWN = "#9aa4b0"
_GOLDEN_ANGLE = 0.381966


def colour_of_index(index: int) -> str:
    """The colour of the class with this 0-based index, as #rrggbb."""
    if index < len(PALETTE):
        return PALETTE[index]
    red, green, blue = colorsys.hls_to_rgb((index * _GOLDEN_ANGLE) % 1, 0.65, 0.75)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def colours(classes: Sequence[str]) -> dict[str, str]:
    """Class name -> colour. A name that is not in it should be drawn in `UNKNOWN`."""
    return {name: colour_of_index(index) for index, name in enumerate(classes)}
