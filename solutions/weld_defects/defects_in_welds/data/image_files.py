"""Image files: checked to their last pixel, read as 8-bit RGB.

An EXIF orientation is not applied, as in the platform: boxes are in pixels of the image as stored.
"""

import warnings
from pathlib import Path

from PIL import Image

from defects_in_welds.data.problems import Problem

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
HUGE_MEGAPIXELS, MOST_MEGAPIXELS = 24, 400
# Sizes are checked on the header, before a pixel is decoded; Pillow's limit would warn at sizes that are allowed here.
Image.MAX_IMAGE_PIXELS = None
Size = tuple[int, int]


def check_image(path: Path, shown: str) -> tuple[Size | None, list[Problem]]:
    """(width, height), None if the file is no readable image, and what is wrong; `shown` is its name in problems."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # a broken EXIF block is no reason to refuse the pixels
            width, height = image.size
            if width * height > MOST_MEGAPIXELS * 1e6:
                holes = {"width": width, "height": height, "limit": MOST_MEGAPIXELS}
                return None, [Problem("image_too_big", shown, None, holes)]
            image.load()
            mode = image.mode
    except (OSError, SyntaxError, ValueError, IndexError, EOFError) as error:
        return None, [Problem("image_broken", shown, None, {"detail": str(error).replace(str(path), shown)[:200]})]
    problems = []
    if is_deep(mode):
        problems.append(Problem("image_16_bit", shown, None, {"mode": mode}))
    elif mode in ("1", "L", "LA"):
        problems.append(Problem("image_grey", shown, None, {"mode": mode}))
    if width * height > HUGE_MEGAPIXELS * 1e6:
        problems.append(Problem("image_huge", shown, None, {"width": width, "height": height}))
    return (width, height), problems


def is_deep(mode: str) -> bool:
    """Does Pillow's `mode` hold more than 8 bits a channel?"""
    return mode.startswith("I") or mode == "F"


def network_factor(size: Size, short_side: int, long_side: int) -> float:
    """By what the network scales an image: to the short side, or less where the long side would pass its limit."""
    return min(short_side / min(size), long_side / max(size))


def shrink_factor(size: Size, short_side: int, long_side: int) -> float:
    """How much an image is shrunk when read, 1 for not at all: to twice the size that the network takes.

    Keeps an 8000×6000 image from becoming half a gigabyte of floats.
    """
    needed = 2 * network_factor(size, short_side, long_side)
    return 1.0 if needed > 0.75 else needed


def read_size(size: Size, factor: float) -> Size:
    """(width, height) of an image of `size` that is scaled by `factor`: whole pixels, at least one."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def read_scale(size: Size, factor: float) -> tuple[float, float, float, float]:
    """What brings a box x1, y1, x2, y2 from the file to the image as read, whose sides are whole pixels."""
    width, height = read_size(size, factor)
    return width / size[0], height / size[1], width / size[0], height / size[1]


def read_rgb(path: Path, factor: float = 1.0) -> Image.Image:
    """The image as 8-bit RGB, shrunk by `factor` (0..1]. Deep greys are stretched over their own range."""
    with Image.open(path) as file:
        size = read_size(file.size, factor)
        if factor < 1 and file.format == "JPEG":
            file.draft("RGB", size)  # decodes at a half, quarter or eighth: much faster
        image = _eight_bit(file)
    return image if factor >= 1 else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _eight_bit(image: Image.Image) -> Image.Image:
    if is_deep(image.mode):
        grey = image.convert("F")
        low, high = grey.getextrema()
        scale = 255 / (high - low) if high > low else 0.0
        return grey.point(lambda value: value * scale - low * scale).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "P"):
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")
