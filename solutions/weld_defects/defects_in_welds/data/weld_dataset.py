"""Samples as tensors, with augmentation, and the loaders over them."""

from collections.abc import Callable, Hashable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

from defects_in_welds.data.image_files import read_rgb, read_scale, shrink_factor
from defects_in_welds.data.samples import Sample

Target = dict[str, Tensor]
Item = tuple[Tensor, Target]


class WeldDataset(Dataset[Item]):
    """Item i: image (3, H, W) float in 0..1 and {"boxes": (N, 4) pixels, "labels": (N,) 0-based}; N may be 0.

    Pixels are those of the image as read: much bigger ones than the network takes (`sides`: short, long) are shrunk by
    `factor(i)`. `augment` sees (image, {"boxes", "labels"}); what it draws depends on `seed` and the key alone, not on
    the process that reads. A key is an index plus a multiple of the length: the multiple says which epoch it is.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        sides: tuple[int, int] = (1 << 20, 1 << 20),
        augment: v2.Transform | None = None,
        seed: int = 0,
    ) -> None:
        self.samples = list(samples)
        self.sides = sides
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def factor(self, index: int) -> float:
        """By how much image `index` is shrunk when read, 1 for not at all."""
        return shrink_factor(self.samples[index].size, *self.sides)

    def scale(self, index: int) -> Tensor:
        """What brings a box (4) from the file of image `index` to the image as read."""
        return torch.tensor(read_scale(self.samples[index].size, self.factor(index)))

    def __getitem__(self, key: int) -> Item:
        index = key % len(self)
        sample, factor = self.samples[index], self.factor(index)
        image = v2.functional.pil_to_tensor(read_rgb(sample.image_path, factor))
        # reshape: an image without boxes gives (0, 4), not (0,)
        boxes = torch.tensor(sample.boxes, dtype=torch.float32).reshape(-1, 4) * self.scale(index)
        labels = torch.tensor(sample.labels, dtype=torch.int64)
        if self.augment is not None:
            framed = BoundingBoxes(boxes, format="XYXY", canvas_size=tuple(image.shape[1:]))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed * 1_000_003 + key)
                image, changed = self.augment(image, {"boxes": framed, "labels": labels})
            boxes, labels = changed["boxes"].as_subclass(Tensor), changed["labels"]
        return v2.functional.to_dtype(image, torch.float32, scale=True), {"boxes": boxes, "labels": labels}


def collate(batch: list[Item]) -> tuple[list[Tensor], list[Target]]:
    """Lists, because images and their box counts differ in size."""
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)


class EpochSampler(Sampler[int]):
    """Keys of a shuffled epoch, the same for the same seed and epoch: a resumed training sees what it would have seen.

    As many as fill whole optimizer steps of `step` images, so that every step averages over the same number of them.
    `shapes`, one of each image: those of one shape come `batch_size` at a time, as far as they go. A batch is as high
    as its highest and as wide as its widest image, so one of portraits and landscapes would be half empty.
    """

    def __init__(
        self,
        length: int,
        step: int,
        seed: int,
        current_epoch: Callable[[], int],
        shapes: Sequence[Hashable] = (),
        batch_size: int = 1,
    ) -> None:
        self.length, self.seed, self.current_epoch = length, seed, current_epoch
        self.shapes, self.batch_size = shapes, batch_size
        self.used = length // step * step or length

    def __len__(self) -> int:
        return self.used

    def __iter__(self) -> Iterator[int]:
        epoch = self.current_epoch()
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(self.length, generator=generator)[: self.used].tolist()
        return iter([index + epoch * self.length for index in self._by_shape(order)])

    def _by_shape(self, order: list[int]) -> list[int]:
        if not self.shapes:
            return order
        waiting: dict[Hashable, list[int]] = {}
        grouped: list[int] = []
        for index in order:
            batch = waiting.setdefault(self.shapes[index], [])
            batch.append(index)
            if len(batch) == self.batch_size:
                grouped += batch
                batch.clear()
        return grouped + [index for batch in waiting.values() for index in batch]


def make_loader(
    dataset: WeldDataset, batch_size: int, workers: int, sampler: EpochSampler | None = None
) -> DataLoader[Item]:
    """A loader over the dataset, in its order or the sampler's; workers stay alive between epochs."""
    return DataLoader(
        dataset,
        batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
