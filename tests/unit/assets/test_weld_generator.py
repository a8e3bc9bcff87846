"""The demo data generator: the same bytes for a seed, and boxes that hold exactly what was drawn."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from assets.weld_defects import CLASS_NAMES
from assets.weld_generator import generate, render_weld, split_sizes

SERIES = range(30)


def folder_hash(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        generate(tmp_path / name, images=8, seed=seed)
    first, again, other = (folder_hash(tmp_path / name) for name in "abc")
    assert first == again
    images = [name for name in first if name.endswith(".jpg")]
    assert len(images) == 8
    assert all(first[name] != other[name] for name in images)


def test_images_of_one_series_are_all_different(tmp_path: Path) -> None:
    generate(tmp_path, images=12, seed=1)
    hashes = [value for name, value in folder_hash(tmp_path).items() if name.endswith(".jpg")]
    assert len(set(hashes)) == 12


@pytest.mark.parametrize(
    ("images", "expected"), [(3, (1, 1, 1)), (60, (42, 9, 9)), (120, (84, 18, 18)), (300, (210, 45, 45))]
)
def test_split_sizes_add_up(images: int, expected: tuple[int, int, int]) -> None:
    assert tuple(split_sizes(images).values()) == expected


def test_folder_holds_what_data_yaml_promises(tmp_path: Path) -> None:
    sizes = generate(tmp_path, images=10, seed=3, size=(256, 192))
    meta = yaml.safe_load((tmp_path / "data.yaml").read_text(encoding="utf-8"))
    assert list(meta["names"].values()) == list(CLASS_NAMES)
    for split, folder in (("train", meta["train"]), ("valid", meta["val"]), ("test", meta["test"])):
        images = sorted((tmp_path / folder).glob("*.jpg"))
        assert len(images) == sizes[split]
        for path in images:
            with Image.open(path) as image:
                assert image.size == (256, 192)
            assert (tmp_path / split / "labels" / f"{path.stem}.txt").exists()


def test_labels_are_inside_the_image_and_of_known_classes(tmp_path: Path) -> None:
    generate(tmp_path, images=30, seed=5)
    lines = [line for path in tmp_path.rglob("labels/*.txt") for line in path.read_text().splitlines()]
    assert len(lines) > 30
    for line in lines:
        class_id, *numbers = line.split()
        centre_x, centre_y, width, height = map(float, numbers)
        assert 0 <= int(class_id) < len(CLASS_NAMES)
        assert centre_x - width / 2 >= 0 and centre_x + width / 2 <= 1 and width > 0
        assert centre_y - height / 2 >= 0 and centre_y + height / 2 <= 1 and height > 0


def test_boxes_hold_every_visible_change_and_no_empty_margin() -> None:
    """The clean and the flawed render differ only inside the boxes, and each side of a box touches a changed pixel."""
    checked = 0
    for index in SERIES:
        weld = render_weld(seed=11, index=index)
        # One grey level of rounding, noise that grows with brightness: 8 levels are visible, fewer are not.
        change = np.abs(weld.pixels.astype(int) - weld.sound.astype(int)).max(axis=2)
        outside = change.copy()
        for box in weld.boxes:
            outside[box.y1 : box.y2, box.x1 : box.x2] = 0
            inside = change[box.y1 : box.y2, box.x1 : box.x2] > 4
            sides = {"left": inside[:, :2], "right": inside[:, -2:], "top": inside[:2], "bottom": inside[-2:]}
            assert all(side.any() for side in sides.values()), (index, box)
            checked += 1
        assert outside.max() <= 8, index
    assert checked > 40


def test_every_class_and_sound_welds_occur_in_colour_and_on_film() -> None:
    welds = [render_weld(seed=2, index=index) for index in range(60)]
    for on_film in (True, False):
        group = [weld for weld in welds if bool((np.ptp(weld.pixels, axis=2) == 0).all()) is on_film]
        assert {box.name for weld in group for box in weld.boxes} == set(CLASS_NAMES)
    sound = sum(not weld.boxes for weld in welds)
    assert 2 <= sound <= 20


def test_a_filled_destination_is_refused_and_left_alone(tmp_path: Path) -> None:
    generate(tmp_path, images=3, seed=1)
    before = folder_hash(tmp_path)
    with pytest.raises(FileExistsError, match=r"data\.yaml"):
        generate(tmp_path, images=3, seed=2)
    assert folder_hash(tmp_path) == before


def test_too_few_images_and_too_small_a_size_name_the_limit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="3 or more"):
        generate(tmp_path, images=2)
    with pytest.raises(ValueError, match="96"):
        generate(tmp_path, images=3, size=(64, 64))
