"""Demo data: a YOLO folder of synthetic weld photographs and radiographs with exact boxes, the same bytes for one seed.

python -m assets.weld_generator DEST --images 120 --seed 7
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assets.weld_defects import CLASS_NAMES, DefectBox, draw_defect
from assets.weld_scene import develop, make_scene, shade

RADIOGRAPH_SHARE = 0.35
SOUND_SHARE = 0.12
"""part of the images that show a weld without any defect"""
MOST_AT_ONCE = {"pore": 5, "spatter": 6, "crack": 1, "undercut": 2, "lack_of_fusion": 1}
DRAW_ATTEMPTS = 4
"""a place cut by the frame or taken by another defect is tried again elsewhere"""
SPLIT_SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}


@dataclass(frozen=True)
class WeldImage:
    """One rendered weld. `sound` is the same weld without its defects (same noise), for checking the boxes."""

    pixels: NDArray[np.uint8]
    sound: NDArray[np.uint8]
    boxes: tuple[DefectBox, ...]


def render_weld(seed: int, index: int, size: tuple[int, int] = (320, 240)) -> WeldImage:
    """Render image number `index` of the series `seed`; `size` is (width, height) in pixels, both at least 96."""
    if min(size) < 96:
        raise ValueError(f"size {size} is too small: a weld needs at least 96 x 96 pixels")
    rng = np.random.default_rng([seed, index])
    scene = make_scene(rng, size, "radiograph" if rng.random() < RADIOGRAPH_SHARE else "photo")
    full = slice(0, size[1]), slice(0, size[0])
    sound = shade(scene, full)
    boxes: list[DefectBox] = []
    if rng.random() >= SOUND_SHARE:
        kinds = rng.choice(CLASS_NAMES, size=int(rng.integers(1, 4)), replace=False)
        for name in sorted(kinds):
            for _ in range(int(rng.integers(1, MOST_AT_ONCE[name] + 1))):
                attempts = (draw_defect(rng, scene, name, boxes) for _ in range(DRAW_ATTEMPTS))
                box = next((box for box in attempts if box is not None), None)
                if box is not None:
                    boxes.append(box)
    noise_seed = int(rng.integers(2**63))
    noisy = develop(np.random.default_rng(noise_seed), scene, shade(scene, full))
    return WeldImage(noisy, develop(np.random.default_rng(noise_seed), scene, sound), tuple(boxes))


def split_sizes(images: int) -> dict[str, int]:
    """How many images each split gets; every split gets at least one."""
    if images < 3:
        raise ValueError(f"{images} images cannot fill train, valid and test: ask for 3 or more")
    valid = max(1, round(images * SPLIT_SHARES["valid"]))
    test = max(1, round(images * SPLIT_SHARES["test"]))
    return {"train": images - valid - test, "valid": valid, "test": test}


def generate(destination: Path, images: int = 120, seed: int = 7, size: tuple[int, int] = (320, 240)) -> dict[str, int]:
    """Write {train,valid,test}/{images,labels} and data.yaml under `destination`; return the images per split.

    Raises ValueError for fewer than 3 images, FileExistsError if the destination already holds a data.yaml.
    """
    sizes = split_sizes(images)
    if (destination / "data.yaml").exists():
        raise FileExistsError(f"{destination / 'data.yaml'} exists: name an empty folder")
    index = 0
    for split, count in sizes.items():
        image_folder, label_folder = destination / split / "images", destination / split / "labels"
        image_folder.mkdir(parents=True, exist_ok=True)
        label_folder.mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            weld = render_weld(seed, index, size)
            stem = f"weld_{index:04d}"
            Image.fromarray(weld.pixels).save(image_folder / f"{stem}.jpg", quality=92)
            lines = [_yolo_line(box, size) for box in weld.boxes]
            (label_folder / f"{stem}.txt").write_text("".join(lines), encoding="utf-8")
            index += 1
    names = "".join(f"  {class_id}: {name}\n" for class_id, name in enumerate(CLASS_NAMES))
    yaml = (
        f"path: .\ntrain: train/images\nval: valid/images\ntest: test/images\nnc: {len(CLASS_NAMES)}\nnames:\n{names}"
    )
    (destination / "data.yaml").write_text(yaml, encoding="utf-8")
    return sizes


def _yolo_line(box: DefectBox, size: tuple[int, int]) -> str:
    """`class cx cy w h`, the last four as parts of the image's size."""
    width, height = size
    centre_x, centre_y = (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height
    side_x, side_y = (box.x2 - box.x1) / width, (box.y2 - box.y1) / height
    return f"{CLASS_NAMES.index(box.name)} {centre_x:.6f} {centre_y:.6f} {side_x:.6f} {side_y:.6f}\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write a YOLO folder of synthetic weld images with exact boxes.")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    arguments = parser.parse_args()
    sizes = generate(arguments.destination, arguments.images, arguments.seed, (arguments.width, arguments.height))
    print(" ".join(f"{split} {count}" for split, count in sizes.items()), "->", arguments.destination)  # noqa: T201 (CLI)


if __name__ == "__main__":
    main()
