"""Samples: an image file and its true boxes, from a YOLO folder (Hydra way) or from the workstation (PlatformAPI).

Class ids are 0-based here, everywhere. Only model/detector.py knows that torchvision counts from 1.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sample:
    """One image. `boxes` are x1, y1, x2, y2 in pixels of the full image; `labels` are 0-based class ids."""

    image_path: Path
    boxes: tuple[Box, ...]
    labels: tuple[int, ...]


def read_yolo_classes(folder: Path) -> list[str]:
    """Class names of data.yaml. Raises FileNotFoundError with advice if the data is not there."""
    path = folder / "data.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: fetch the data with `dvc pull`, or set data.folder")
    names = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
    return [str(names[i]) for i in range(len(names))]


def read_yolo_split(folder: Path, split: str, class_count: int) -> list[Sample]:
    """Samples of {split}/{images,labels}, by name. An image without a label file has no boxes.

    Raises FileNotFoundError if the folder or its images are missing, ValueError naming the label file and line.
    """
    image_folder = folder / split / "images"
    paths = sorted(p for p in image_folder.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no images in {image_folder}: fetch the data with `dvc pull`, or set data.folder")
    return [_yolo_sample(path, folder / split / "labels" / f"{path.stem}.txt", class_count) for path in paths]


def _yolo_sample(image_path: Path, label_path: Path, class_count: int) -> Sample:
    lines = label_path.read_text(encoding="utf-8").splitlines() if label_path.is_file() else []
    with Image.open(image_path) as image:
        width, height = image.size
    boxes, labels = [], []
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        try:
            class_id, (x, y, w, h) = int(fields[0]), map(float, fields[1:])
        except ValueError as error:
            raise ValueError(f"{label_path}, line {number}: {line!r} is not `class cx cy w h`") from error
        if not 0 <= class_id < class_count:
            raise ValueError(f"{label_path}, line {number}: class {class_id}, data.yaml names 0..{class_count - 1}")
        box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        _append_box(boxes, labels, box, class_id, (width, height))
    return Sample(image_path, tuple(boxes), tuple(labels))


def platform_samples(image_paths: Sequence[str], markup_paths: Sequence[str], classes: list[str]) -> list[Sample]:
    """Samples of a PlatformAPI dataset; markup i belongs to image i, and there may be no markup at all."""
    markups = list(markup_paths) or [None] * len(image_paths)
    return [
        _platform_sample(Path(image), markup and json.loads(Path(markup).read_text(encoding="utf-8")), classes)
        for image, markup in zip(image_paths, markups, strict=True)
    ]


def _platform_sample(image_path: Path, markup: dict[str, Any] | None, classes: list[str]) -> Sample:
    boxes: list[Box] = []
    labels: list[int] = []
    with Image.open(image_path) as image:
        size = image.size
    for annotation in markup["annotation"] if markup else []:
        if annotation["shape"].get("type") == "rectangle":
            (x1, y1), (x2, y2) = annotation["shape"]["exterior"]
            _append_box(boxes, labels, (x1, y1, x2, y2), classes.index(annotation["class"]), size)
    return Sample(image_path, tuple(boxes), tuple(labels))


def _append_box(boxes: list[Box], labels: list[int], box: Box, label: int, size: tuple[int, int]) -> None:
    """Clip the box to the image; a box thinner than a pixel's tenth is dropped, torchvision refuses it."""
    width, height = size
    x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], width), min(box[3], height)
    if x2 - x1 > 0.1 and y2 - y1 > 0.1:
        boxes.append((x1, y1, x2, y2))
        labels.append(label)
