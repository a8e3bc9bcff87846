"""Copies of an image are found however they were augmented; different images are not taken for copies."""

import io

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from assets.weld_generator import render_weld
from backend.domain import near_copies
from backend.domain.near_copies import find_near_copies, perceptual_hashes, turned_ways
from backend.services.image_reader import grey_thumbnail

IMAGES = [Image.fromarray(render_weld(5, index).pixels).convert("RGB") for index in range(24)]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def thumbnail(image: Image.Image) -> bytes:
    return grey_thumbnail(encoded(image))


def cropped(image: Image.Image, part: float) -> Image.Image:
    width, height = image.size
    return image.crop((int(width * part), 0, width, int(height * (1 - part / 2))))


AUGMENTED = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned": lambda image: image.rotate(90, expand=True),
    "turned and mirrored": lambda image: ImageOps.mirror(image.rotate(270, expand=True)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "compressed": lambda image: Image.open(io.BytesIO(encoded(image, "JPEG", quality=30))),
    "cropped": lambda image: cropped(image, 0.03),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "grey": lambda image: image.convert("L"),
    "smaller": lambda image: image.resize((image.width // 2, image.height // 2)),
    "all at once": lambda image: ImageEnhance.Brightness(cropped(ImageOps.mirror(image), 0.03)).enhance(1.1),
}


def test_hashes_are_those_of_imagehash_in_all_eight_ways() -> None:
    pictures = np.stack([np.frombuffer(thumbnail(image), np.uint8).reshape(32, 32) for image in IMAGES[:6]])
    hashes, ways = perceptual_hashes(pictures), turned_ways(pictures)
    assert hashes.shape == (6, 8)
    for picture in range(6):
        seen = set()
        for way in range(8):
            expected = imagehash.phash(Image.fromarray(np.ascontiguousarray(ways[picture, way])))
            assert f"{int(hashes[picture, way]):016x}" == str(expected)
            seen.add(ways[picture, way].tobytes())
        assert len(seen) == 8


@pytest.mark.parametrize("how", AUGMENTED)
def test_augmented_copies_are_found(how: str) -> None:
    originals = [thumbnail(image) for image in IMAGES]
    copies = [thumbnail(AUGMENTED[how](image)) for image in IMAGES]
    count = len(IMAGES)
    found = find_near_copies(originals + copies, [str(n) for n in range(2 * count)], [0] * count + [2] * count)
    pairs = {(pair.left, pair.right) for pair in found.pairs}
    assert pairs <= {(n, n + count) for n in range(count)}, "different welds were taken for copies"
    assert len(pairs) >= 0.9 * count
    assert found.is_complete


def test_different_welds_are_no_copies() -> None:
    thumbnails = [thumbnail(Image.fromarray(render_weld(7, index).pixels)) for index in range(120)]
    found = find_near_copies(thumbnails, [str(n) for n in range(120)], [n % 3 for n in range(120)])
    assert found.pairs == () and list(found.groups) == list(range(120))


def test_plain_images_are_copies_only_when_their_files_are_equal() -> None:
    plain = [thumbnail(Image.new("RGB", (40, 30), colour)) for colour in ("gray", "red", "gray", "white")]
    found = find_near_copies([*plain, b""], ["a", "b", "a", "c", "d"], [0, 1, 2, 1, 2])
    assert [(pair.left, pair.right, pair.distance, pair.likeness) for pair in found.pairs] == [(0, 2, 0, 1.0)]
    assert found.groups == (0, 1, 0, 3, 4)


@pytest.mark.parametrize("splits", [[0, 1, 1, 1, 2], [1, 1, 2, 2, 2], [1, 1, 1, 1, 2], [2, 2, 2, 1, 0]])
@pytest.mark.parametrize("is_same_file", [True, False])
def test_every_judged_image_with_a_copy_elsewhere_is_proven(splits: list[int], is_same_file: bool) -> None:
    versions = [IMAGES[0].point(lambda value, more=more: min(255, value + more)) for more in range(5)]
    names = ["a"] * 5 if is_same_file else list("abcde")
    found = find_near_copies([thumbnail(image) for image in versions], names, splits)
    assert set(found.groups) == {0}
    across = {n for pair in found.pairs for n in (pair.left, pair.right) if splits[pair.left] != splits[pair.right]}
    assert {n for n in range(5) if splits[n]} <= across


def test_a_thousand_frames_of_one_scene_give_few_pairs() -> None:
    one = thumbnail(IMAGES[3])
    found = find_near_copies([one] * 1000, [str(n) for n in range(1000)], [n % 3 for n in range(1000)])
    assert set(found.groups) == {0}
    assert len(found.pairs) < 2000


def test_a_search_that_meets_too_many_look_alikes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_copies, "MAX_CANDIDATES", 3)
    monkeypatch.setattr(near_copies, "CANDIDATES_AT_ONCE", 2)
    thumbnails = [thumbnail(change(IMAGES[4])) for change in AUGMENTED.values()]
    found = find_near_copies(thumbnails, [str(n) for n in range(len(thumbnails))], [0] * len(thumbnails))
    assert not found.is_complete


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(min_size=1024, max_size=1024), max_size=6), st.randoms())
def test_any_bytes_are_compared_without_a_fault(thumbnails: list[bytes], random: object) -> None:
    found = find_near_copies(thumbnails * 2, [str(n) for n in range(2 * len(thumbnails))], [0, 1] * len(thumbnails))
    assert len(found.groups) == 2 * len(thumbnails)


def test_nothing_and_one_image() -> None:
    assert find_near_copies([], [], []).groups == ()
    assert find_near_copies([thumbnail(IMAGES[0])], ["a"], [0]).groups == (0,)
