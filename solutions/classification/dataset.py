"""Turns a sample of the platform into crops: every marked box, and pieces where nothing is marked."""

import json
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from texts import text
from torch import Tensor
from torch.utils.data import Dataset

BACKGROUND = "background"
Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the image


class Crops(Dataset):
    """Item i: crop (3, S, S) in 0..1 and its class id. Where crop i comes from is boxes[i] of image_paths[image_of[i]].

    A class list of C names gives ids 0..C-1; C itself is the background. Without it a set whose boxes are all of one
    class would have nothing to tell apart.
    """

    def __init__(self, platform_dataset, classes: list[str], crop_size: int, is_varied: bool = False) -> None:
        self.image_paths = [Path(path) for path in platform_dataset.get_all_images_path()]
        self.is_varied = is_varied
        self.boxes: list[Box] = []
        self.image_of: list[int] = []
        labels: list[int] = []
        crops: list[np.ndarray] = []
        # Markup i belongs to image i; a sample without markup has [].
        markups = platform_dataset.get_all_markups() or [None] * len(self.image_paths)
        for index, (path, markup) in enumerate(zip(self.image_paths, markups, strict=True)):
            with Image.open(path) as file:
                image = file.convert("RGB")
            marked = read_markup(markup, classes, image.size)
            # Seeded by the image, so that a test repeated is the same test.
            piece = unmarked_piece([box for box, _ in marked], image.size, random.Random(index))
            for box, label in marked + ([(piece, len(classes))] if piece else []):
                crops.append(np.array(image.resize((crop_size, crop_size), Image.Resampling.BILINEAR, box=box)))
                self.boxes.append(box)
                self.image_of.append(index)
                labels.append(label)
        if not crops:
            raise SystemExit(text("nothing_marked", role=platform_dataset.role))
        # All crops stay in memory as bytes (7 kB each at 48 pixels): images are decoded once, not once an epoch.
        self.crops = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
        self.labels = torch.tensor(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        crop = self.crops[index].float() / 255
        return vary(crop) if self.is_varied else crop, self.labels[index]


def read_markup(path: str | None, classes: list[str], size: tuple[int, int]) -> list[tuple[Box, int]]:
    """Boxes and class ids of one markup file. A class without a shape is meant for the whole image of this size."""
    width, height = size
    marked = []
    for annotation in json.loads(Path(path).read_text(encoding="utf-8"))["annotation"] if path else []:
        (x1, y1), (x2, y2) = annotation["shape"].get("exterior") or [(0, 0), size]
        box = (max(0, x1), max(0, y1), min(width, x2), min(height, y2))
        # A box thinner than a pixel shows nothing.
        if box[2] - box[0] >= 1 and box[3] - box[1] >= 1:
            marked.append((box, classes.index(annotation["class"])))
    return marked


def unmarked_piece(boxes: list[Box], size: tuple[int, int], dice: random.Random) -> Box | None:
    """A place that touches no box, or None if twenty throws find none.

    It has the width and height of one of the boxes: else the network would learn sizes instead of looks.
    """
    width, height = size
    x1, y1, x2, y2 = dice.choice(boxes) if boxes else (0, 0, width / 4, height / 4)
    w, h = x2 - x1, y2 - y1
    for _ in range(20):
        x, y = dice.uniform(0, width - w), dice.uniform(0, height - h)
        if all(x + w <= box[0] or box[2] <= x or y + h <= box[1] or box[3] <= y for box in boxes):
            return x, y, x + w, y + h
    return None


def vary(crop: Tensor) -> Tensor:
    """Mirror it and change its light, at random: a weld has no up and no left, and every session has its own lamp."""
    for dimension in (1, 2):
        if torch.rand(()) < 0.5:
            crop = crop.flip(dimension)
    contrast, brightness = 0.7 + 0.6 * torch.rand(()), 0.2 * torch.rand(()) - 0.1
    return ((crop - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
