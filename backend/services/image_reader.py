"""Decodes uploaded images with Pillow: checks them on the way in, makes JPEG thumbnails on the way out."""

import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from backend.domain.errors import InvalidInputError
from backend.domain.near_copies import SIDE
from backend.domain.yolo_format import ImageSize

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
JPEG_QUALITY = 85
# Our own limit is checked on the header, before a pixel is decoded; Pillow's would warn at a size that we allow.
Image.MAX_IMAGE_PIXELS = None


UNREADABLE = (OSError, SyntaxError, ValueError, IndexError, EOFError)


@dataclass(frozen=True)
class CheckedImage:
    """Size as stored, and the grey thumbnail by which near copies are found: SIDE × SIDE bytes."""

    size: ImageSize
    thumbnail: bytes


def checked_image(content: bytes, max_megapixels: int) -> CheckedImage:
    """An image that decodes to its last pixel, as stored: an EXIF orientation is not applied.

    Raises InvalidInputError: image_unknown, image_too_many_pixels, image_broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = _opened(content)
        size = ImageSize(*image.size)
        if size.width * size.height > max_megapixels * 1_000_000:
            raise InvalidInputError("image_too_many_pixels", width=size.width, height=size.height, limit=max_megapixels)
        try:
            image.verify()
            with _opened(content) as again:
                again.load()
                return CheckedImage(size, _grey_thumbnail(again))
        except UNREADABLE as error:
            raise InvalidInputError("image_broken", detail=str(error)[:200]) from None


def grey_thumbnail(content: bytes) -> bytes:
    """The thumbnail of an image that was checked long ago. Raises InvalidInputError as checked_image does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _opened(content) as image:
                return _grey_thumbnail(image)
        except UNREADABLE as error:
            raise InvalidInputError("image_broken", detail=str(error)[:200]) from None


def jpeg_thumbnail(content: bytes, max_width: int) -> bytes:
    """A JPEG at most `max_width` pixels wide, proportions kept, never enlarged.

    Raises InvalidInputError('image_unknown' or 'image_broken').
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = _opened(content)
        try:
            image.draft("RGB", (max_width, max_width * image.height // max(1, image.width)))
            pixels = _eight_bit(image)
            pixels.thumbnail((max_width, 1 << 16))
            out = BytesIO()
            pixels.save(out, "JPEG", quality=JPEG_QUALITY)
        except UNREADABLE as error:
            raise InvalidInputError("image_broken", detail=str(error)[:200]) from None
    return out.getvalue()


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(content), formats=FORMATS)
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInputError("image_unknown", formats=" ".join(FORMATS)) from error


def _grey_thumbnail(image: Image.Image) -> bytes:
    plain = image if image.mode in ("RGB", "L") else _eight_bit(image)
    # `reducing_gap` averages whole pixels first: a quarter of the work.
    return plain.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0).tobytes()


def _eight_bit(image: Image.Image) -> Image.Image:
    """RGB or grey; 16-bit and float greys (radiographs) are stretched over their own range, or they come out white."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = image.convert("F")
        low, high = grey.getextrema()
        if not (isinstance(low, float) and isinstance(high, float)):
            raise ValueError("an image of several bands was expected to have one")
        scale = 255 / (high - low) if high > low else 0.0
        return grey.point(lambda value: value * scale - low * scale).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "P"):
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
