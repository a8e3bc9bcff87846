"""Samples as tensors, with augmentation, and the loaders over them."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

from defects_in_welds.data.samples import Sample

Target = dict[str, Tensor]
Item = tuple[Tensor, Target]


class WeldDataset(Dataset[Item]):
    """Item i: image (3, H, W) float in 0..1 and {"boxes": (N, 4) pixels, "labels": (N,) 0-based}; N may be 0."""

    def __init__(self, samples: Sequence[Sample], flip_probability: float = 0.0, colour_strength: float = 0.0) -> None:
        self.samples = list(samples)
        steps: list[v2.Transform] = []
        if flip_probability:
            steps += [v2.RandomHorizontalFlip(flip_probability), v2.RandomVerticalFlip(flip_probability)]
        if colour_strength:
            steps.append(v2.ColorJitter(colour_strength, colour_strength, colour_strength))
        self.augment = v2.Compose(steps) if steps else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Item:
        sample = self.samples[index]
        with Image.open(sample.image_path) as file:
            image = v2.functional.pil_to_tensor(file.convert("RGB"))
        # reshape: an image without boxes gives (0, 4), not (0,)
        boxes = torch.tensor(sample.boxes, dtype=torch.float32).reshape(-1, 4)
        if self.augment is not None:
            framed = BoundingBoxes(boxes, format="XYXY", canvas_size=tuple(image.shape[1:]))
            image, framed = self.augment(image, framed)
            boxes = framed.as_subclass(Tensor)
        labels = torch.tensor(sample.labels, dtype=torch.int64)
        return v2.functional.to_dtype(image, torch.float32, scale=True), {"boxes": boxes, "labels": labels}


def collate(batch: list[Item]) -> tuple[list[Tensor], list[Target]]:
    """Lists, because images and their box counts differ in size."""
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)


def make_loader(dataset: WeldDataset, batch_size: int, workers: int, is_shuffled: bool = False) -> DataLoader[Item]:
    """A loader over the dataset; workers stay alive between epochs."""
    return DataLoader(
        dataset,
        batch_size,
        shuffle=is_shuffled,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
