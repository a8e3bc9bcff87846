"""Reads a sample of the platform: image files and their markup JSON -> tensors of one size."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset


class WeldImages(Dataset):
    """Item i: image (3, S, S) in 0..1, boxes (N, 4) in pixels of that image, class ids (N,), and the index i.

    An image is scaled to fit the square and put into its top left corner; `scale_of` leads back to its own pixels.
    """

    def __init__(self, platform_dataset, classes: list[str], image_size: int, is_flipped: bool = False) -> None:
        self.image_paths = [Path(path) for path in platform_dataset.get_all_images_path()]
        # Markup i belongs to image i; a sample without markup is fine, too.
        markups = platform_dataset.get_all_markups() or [None] * len(self.image_paths)
        self.truths = [read_markup(markup, classes) for markup in markups]
        self.image_size = image_size
        self.is_flipped = is_flipped
        self.sizes: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.image_paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, int]:
        with Image.open(self.image_paths[index]) as file:
            image = file.convert("RGB")
        scale = self.image_size / max(image.size)
        self.sizes[index] = image.size
        small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        square = torch.zeros(3, self.image_size, self.image_size)
        square[:, : small.height, : small.width] = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
        boxes, labels = self.truths[index]
        boxes = boxes * scale
        if self.is_flipped:
            square, boxes = random_flip(square, boxes)
        return square, boxes, labels, index

    def scale_of(self, index: int) -> float:
        """Input pixels per pixel of the original image; known after the image was read."""
        return self.image_size / max(self.sizes[index])

    def size_of(self, index: int) -> tuple[int, int]:
        """Width and height of the original image; known after the image was read."""
        return self.sizes[index]


def read_markup(path: str | None, classes: list[str]) -> tuple[Tensor, Tensor]:
    """Boxes (N, 4) as x1, y1, x2, y2 in pixels and class ids (N,) of one markup file; N may be 0."""
    boxes, labels = [], []
    annotations = json.loads(Path(path).read_text(encoding="utf-8"))["annotation"] if path else []
    for annotation in annotations:
        if annotation["shape"].get("type") == "rectangle":
            (x1, y1), (x2, y2) = annotation["shape"]["exterior"]
            boxes.append([x1, y1, x2, y2])
            labels.append(classes.index(annotation["class"]))
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.tensor(labels, dtype=torch.int64)


def random_flip(image: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror left-right and top-bottom, each with probability one half: a weld has no up and no left."""
    side = image.shape[-1]
    for dimension, (low, high) in ((2, (0, 2)), (1, (1, 3))):
        if torch.rand(()) < 0.5:
            image = image.flip(dimension)
            boxes = boxes.clone()
            boxes[:, [low, high]] = side - boxes[:, [high, low]]
    return image, boxes


def collate(batch: list[tuple[Tensor, Tensor, Tensor, int]]) -> tuple[Tensor, list[Tensor], list[Tensor], list[int]]:
    """Images become one tensor; boxes and labels stay lists, because every image has its own number of them."""
    images, boxes, labels, indices = zip(*batch, strict=True)
    return torch.stack(images), list(boxes), list(labels), list(indices)
