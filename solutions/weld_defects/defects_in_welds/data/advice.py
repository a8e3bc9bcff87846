"""Advice about samples that are right and still teach or show little; nothing here stops a training."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from defects_in_welds.data.image_files import Size, network_factor, read_size
from defects_in_welds.data.problems import Problem
from defects_in_welds.data.samples import Sample

LEAST_IMAGE_PX = 32
"""short side of an image as the network sees it; below it the map of stride 32 is not even one cell across"""
Splits = Mapping[str, Sequence[Sample]]
Sides = tuple[int, int]


def split_advice(samples: Splits, classes: Sequence[str], shown: Mapping[str, str]) -> list[Problem]:
    """Classes that `train` never shows, and other splits without a box; `shown` names the splits in problems."""
    problems = []
    for split, ones in samples.items():
        seen = {label for sample in ones for label in sample.labels}
        if split == "train":
            unseen = [name for i, name in enumerate(classes) if ones and i not in seen]
            problems += [Problem("class_unseen", shown[split], None, {"name": name}) for name in unseen]
        elif ones and not seen:
            problems.append(Problem("split_boxless", shown[split], None, {"images": len(ones)}))
    return problems


def size_advice(samples: Splits, sides: Sides, finest_stride: int, shown: Callable[[Path], str]) -> list[Problem]:
    """Images and boxes that are too small where the network sees them; `shown` names an image file in problems.

    `sides` are the network's short and long side, `finest_stride` the pixels of a cell of its finest map. A box
    narrower than a cell has no cell of its own; and where one of 3 px is answered 1 px off, an IoU of 0.5 is left.
    """
    problems: list[Problem] = []
    for split, ones in samples.items():
        for sample in ones:
            problems += image_advice(sample.size, shown(sample.image_path), sides)
        seen = [(min(x2 - x1, y2 - y1) * network_factor(s.size, *sides), s) for s in ones for x1, y1, x2, y2 in s.boxes]
        narrow = [one for one in seen if one[0] < finest_stride]
        if narrow:
            smallest, sample = min(narrow, key=lambda one: one[0])
            holes = {"count": len(narrow), "total": len(seen), "split": split, "least": finest_stride}
            holes |= {"smallest": math.floor(smallest * 10) / 10, "short_side": sides[0], "long_side": sides[1]}
            problems.append(Problem("boxes_narrow", shown(sample.image_path), None, holes))
    return problems


def image_advice(size: Size, shown: str, sides: Sides) -> list[Problem]:
    """Of one image, by its shape alone: a long strip."""
    width, height = read_size(size, network_factor(size, *sides))
    if min(width, height) >= LEAST_IMAGE_PX:
        return []
    holes = {"width": size[0], "height": size[1], "seen_width": width, "seen_height": height}
    return [Problem("image_flat", shown, None, holes)]
