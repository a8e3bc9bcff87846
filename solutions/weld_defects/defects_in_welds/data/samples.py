"""Samples: an image file and its true boxes. Class ids are 0-based here, everywhere.

Only model/detector.py knows that torchvision counts from 1. Samples come from yolo_folder.py or platform_sample.py.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from defects_in_welds.data.image_files import Size, check_image
from defects_in_welds.data.problems import Problem

Box = tuple[float, float, float, float]
MOST_OUTSIDE_PX = 1.0
"""a box may leave its image by this much and is cut: labels are rounded"""


@dataclass(frozen=True)
class Sample:
    """One image. `size` is (width, height); `boxes` are x1, y1, x2, y2 in pixels; `labels` are 0-based class ids."""

    image_path: Path
    size: Size
    boxes: tuple[Box, ...]
    labels: tuple[int, ...]


def check_images(paths: Sequence[Path], shown: Sequence[str]) -> list[tuple[Size | None, list[Problem]]]:
    """check_image of each, in order; Pillow decodes outside of Python's lock, so threads help."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(check_image, paths, shown))


class BoxCollector:
    """The boxes of one image: collects good ones, and a problem for each of the others."""

    def __init__(self, file: str, size: Size | None, problems: list[Problem]) -> None:
        """`size` None: the image is broken, places of boxes cannot be judged."""
        self.file, self.size, self.problems = file, size, problems
        self.boxes: list[Box] = []
        self.labels: list[int] = []

    def add(self, box: Box, label: int, line: int) -> None:
        """Take a box in pixels, cut to the image."""
        if self.size is None:
            return
        width, height = self.size
        x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], width), min(box[3], height)
        holes = {"box": " ".join(f"{value:.1f}" for value in box), "width": width, "height": height}
        if max(x1 - box[0], y1 - box[1], box[2] - x2, box[3] - y2) > MOST_OUTSIDE_PX:
            self.problems.append(Problem("box_outside", self.file, line, holes))
        # torchvision refuses boxes without an area; thinner than a tenth of a pixel there is nothing to see.
        elif x2 - x1 <= 0.1 or y2 - y1 <= 0.1:
            self.problems.append(Problem("box_empty", self.file, line, holes))
        elif (label, (x1, y1, x2, y2)) in zip(self.labels, self.boxes, strict=True):
            self.problems.append(Problem("box_repeated", self.file, line))
        else:
            self.boxes.append((x1, y1, x2, y2))
            self.labels.append(label)

    def sample(self, image_path: Path) -> Sample:
        """What was collected; the size must be known."""
        assert self.size is not None
        return Sample(image_path, self.size, tuple(self.boxes), tuple(self.labels))
