"""Images are decoded to the last pixel on the way in and made small on the way out."""

import io
import struct
import zlib

import pytest
from PIL import Image

from backend.domain.errors import InvalidInputError
from backend.domain.yolo_format import ImageSize
from backend.services.image_reader import checked_image, jpeg_thumbnail


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_formats(kind: str) -> None:
    assert checked_image(encoded(kind), 1).size == ImageSize(64, 48)


def test_exif_orientation_is_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded("JPEG", exif=exif)
    assert checked_image(content, 1).size == ImageSize(64, 48)
    with Image.open(io.BytesIO(jpeg_thumbnail(content, 32))) as thumbnail:
        assert thumbnail.size == (32, 24)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_cut_image_is_broken(kind: str) -> None:
    content = encoded(kind)
    with pytest.raises(InvalidInputError, match=r"image_broken|image_unknown"):
        checked_image(content[: len(content) * 3 // 5], 1)


def test_damaged_png_checksum() -> None:
    content = bytearray(encoded("PNG"))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(InvalidInputError, match="image_broken"):
        checked_image(bytes(content), 1)


def test_pixel_bomb_is_refused_by_its_header() -> None:
    """30000 x 30000 in a few bytes: decoding it would take gigabytes."""
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    with pytest.raises(InvalidInputError, match="image_too_many_pixels"):
        checked_image(b"\x89PNG\r\n\x1a\n" + body, 200)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>", b"%PDF-1.4", b"II*\0"])
def test_other_things_are_no_images(content: bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"image_unknown|image_broken"):
        checked_image(content, 1)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "I;16", "I"])
def test_every_mode_has_a_thumbnail(mode: str) -> None:
    image = Image.new(mode, (100, 50))
    out = io.BytesIO()
    image.save(out, "TIFF" if mode == "I" else "PNG")
    with Image.open(io.BytesIO(jpeg_thumbnail(out.getvalue(), 40))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (40, 20))
