"""Samples of the workstation as tensors, with augmentation, and the loader that brings them to the device."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from atp.registry import register
from atp.runtime.local_platform import current_platform

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

TASKS = ("classification", "crops", "masks", "detection")
ROLES = ("train", "val", "test")
Box = tuple[float, float, float, float]
Augment = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Annotation:
    """One marked object: class id from 0, corners in pixels; no corners means the whole image."""

    label: int
    corners: tuple[tuple[float, float], ...] = ()

    @property
    def box(self) -> Box:
        """x1, y1, x2, y2."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True)
class Record:
    """One item of a dataset: a whole image, or one annotation of it (`crops`)."""

    image: Path
    annotations: tuple[Annotation, ...]


@register("Dataset", outputs={"image": Tensor, "target": None})
class Dataset(TorchDataset[tuple[Tensor, Any]]):
    """A sample of the run (PlatformAPI; alone a YOLO folder). Item: image (3, H, W) in 0..1 and the target of the task.

    Targets: classification – label of the image; crops – an item for each marked object, its label; masks – (H, W),
    class id + 1, 0 is the background; detection – {boxes, labels}, the image in its own size or shrunk with its boxes.

    Args:
        role: train, val or test
        task: classification, crops, masks or detection
        size: side in pixels to which images of the other tasks are brought
        classes: names to keep, in the order of their ids; empty takes all of the run
        augment: `#core.Augmentation` or any transform of (image, target)
        is_one_class: every object has label 0 (a detector of anything)
        sides: short and long side that a detector scales to: much bigger images are shrunk to twice that when read;
            empty leaves them
    """

    def __init__(
        self,
        role: str,
        task: str = "classification",
        size: int = 64,
        classes: Sequence[str] = (),
        augment: Augment | None = None,
        is_one_class: bool = False,
        sides: Sequence[int] = (),
    ) -> None:
        if task not in TASKS:
            raise ValueError(f"task is {task!r}; it can be {', '.join(TASKS)}")
        self.task, self.size, self.augment, self.sides = task, size, augment, tuple(sides)
        if len(self.sides) not in (0, 2):
            raise ValueError(f"sides is {list(sides)}; it can be [short, long] in pixels, or empty")
        platform = current_platform()
        self.classes = [str(name) for name in classes or platform.get_classes()]
        self._label_of = {name: 0 if is_one_class else label for label, name in enumerate(self.classes)}
        if is_one_class:
            self.classes = ["object"]
        sample = platform.generate_dataset(_sample(platform.get_available_datasets(), role))
        images = [Path(path) for path in sample.get_all_images_path()]
        markups = sample.get_all_markups() or [None] * len(images)
        self.records: list[Record] = []
        for image, markup in zip(images, markups, strict=True):
            self.records += self._records(Record(image, tuple(self._annotations(markup))))

    @property
    def names(self) -> list[str]:
        """File name of each item's image; that of a crop has its number in it."""
        seen: dict[str, int] = {}
        found = []
        for record in self.records:
            number = seen[record.image.name] = seen.get(record.image.name, 0) + 1
            found.append(f"{record.image.name} #{number}" if self.task == "crops" else record.image.name)
        return found

    @property
    def unseen(self) -> list[str]:
        """Names of the classes that no object of the sample has: they cannot be learned, or kept."""
        seen = {one.label for record in self.records for one in record.annotations}
        return [name for label, name in enumerate(self.classes) if label not in seen]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        from torchvision import tv_tensors
        from torchvision.transforms.v2 import functional

        record = self.records[index]
        image, target = self._item(record)
        image = tv_tensors.Image(image)
        if self.augment is not None:
            image, target = self.augment(image, target)
        if isinstance(target, dict):
            target = {name: value.as_subclass(Tensor) for name, value in target.items()}
        elif isinstance(target, Tensor):
            target = target.as_subclass(Tensor)
        return functional.to_dtype(image, torch.float32, scale=True).as_subclass(Tensor), target

    def _annotations(self, markup: str | None) -> Iterator[Annotation]:
        """Those whose class is kept."""
        entries = json.loads(Path(markup).read_text(encoding="utf-8"))["annotation"] if markup else []
        for entry in entries:
            shape = entry.get("shape") or {}
            label = self._label_of.get(entry["class"])
            if label is not None:
                corners = [(float(x), float(y)) for x, y in shape.get("exterior", ())]
                if shape.get("type") == "rectangle":
                    (x1, y1), (x2, y2) = corners
                    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
                yield Annotation(label, tuple(corners))

    def _records(self, record: Record) -> list[Record]:
        if self.task == "crops":
            return [Record(record.image, (one,)) for one in record.annotations if one.corners]
        if self.task == "classification":
            return [Record(record.image, record.annotations[:1])] if record.annotations else []
        return [record]

    def _item(self, record: Record) -> tuple[Tensor, Any]:
        from PIL import Image
        from torchvision.transforms.v2 import functional

        with Image.open(record.image) as file:
            if self.task == "detection":
                truth, picture = _boxes(record, file.size), _read(file, self.sides)
                truth["boxes"] = functional.resize(truth["boxes"], picture.size[::-1])
                return functional.pil_to_tensor(picture), truth
            picture = file.convert("RGB")
        side = (self.size, self.size)
        target: Any = _mask(record, picture.size, side) if self.task == "masks" else record.annotations[0].label
        frame = _around(record.annotations[0].box, picture.size) if self.task == "crops" else None
        resized = picture.resize(side, Image.Resampling.BILINEAR, box=frame)
        return functional.pil_to_tensor(resized), target


def _sample(available: Sequence[Any], role: str) -> Any:
    if role not in ROLES:
        raise ValueError(f"role is {role!r}; it can be {', '.join(ROLES)}")
    found = next((sample for sample in available if sample.role == role), None)
    if found is None:
        raise LookupError(f"the run has no sample {role!r}; it has {[sample.role for sample in available]}")
    return found


def _read(file: "ImageFile", sides: Sequence[int]) -> "Image":
    """In RGB, shrunk to twice `sides` if it is much bigger: 8000 x 6000 would be half a gigabyte of floats."""
    from PIL.Image import Resampling

    width, height = file.size
    needed = 2 * min(sides[0] / min(file.size), sides[1] / max(file.size)) if sides else 1.0
    if needed > 0.75:
        return file.convert("RGB")
    size = max(1, round(width * needed)), max(1, round(height * needed))
    file.draft("RGB", size)  # a JPEG is decoded at a half, quarter or eighth: much faster
    return file.convert("RGB").resize(size, Resampling.BILINEAR, reducing_gap=2.0)


def _boxes(record: Record, size: tuple[int, int]) -> dict[str, Tensor]:
    from torchvision.tv_tensors import BoundingBoxes

    kept = [one for one in record.annotations if one.corners and _is_box(_inside(one.box, size))]
    # reshape: an image without boxes gives (0, 4), not (0,)
    boxes = torch.tensor([_inside(one.box, size) for one in kept], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([one.label for one in kept], dtype=torch.int64)
    return {"boxes": BoundingBoxes(boxes, format="XYXY", canvas_size=(size[1], size[0])), "labels": labels}


def _inside(box: Box, size: tuple[int, int]) -> Box:
    return max(box[0], 0.0), max(box[1], 0.0), min(box[2], size[0]), min(box[3], size[1])


def _is_box(box: Box) -> bool:
    return box[2] - box[0] > 0.1 and box[3] - box[1] > 0.1  # torchvision refuses thinner ones


def _mask(record: Record, size: tuple[int, int], side: tuple[int, int]) -> Tensor:
    from PIL import Image, ImageDraw
    from torchvision.transforms.v2 import functional
    from torchvision.tv_tensors import Mask

    drawn = Image.new("L", size, 0)
    pen = ImageDraw.Draw(drawn)
    for one in record.annotations:
        if len(one.corners) >= 3:
            pen.polygon(one.corners, fill=one.label + 1)
    return Mask(functional.pil_to_tensor(drawn.resize(side, Image.Resampling.NEAREST))[0].long())


def _around(box: Box, size: tuple[int, int]) -> Box:
    """A square round the box with a quarter of air, inside the image."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = max(box[2] - box[0], box[3] - box[1], 4.0) * 0.625
    left, top, right, bottom = max(0.0, x - half), max(0.0, y - half), min(size[0], x + half), min(size[1], y + half)
    return left, top, max(right, left + 1.0), max(bottom, top + 1.0)


@register("Augmentation", inputs={"image": Tensor, "target": None}, outputs={"image": Tensor, "target": None})
def augmentation(flip: float = 0.5, colour: float = 0.2, more: Sequence[Augment] = ()) -> Augment:
    """Random changes of an image and of the boxes or the mask that belong to it (transforms v2 of torchvision).

    Args:
        flip: probability of a mirrored image, left-right and, independently, top-bottom
        colour: random change of brightness, contrast and saturation
        more: further transforms v2, applied after these
    """
    from torchvision.transforms import v2

    steps: list[Any] = [v2.RandomHorizontalFlip(flip), v2.RandomVerticalFlip(flip)] if flip else []
    if colour:
        steps.append(v2.ColorJitter(colour, colour, colour))
    composed: Augment = v2.Compose([*steps, *more]) if steps or more else v2.Identity()
    return composed


def collate_lists(batch: list[tuple[Tensor, Any]]) -> tuple[list[Tensor], list[Any]]:
    """Lists of images and targets, for images that differ in size."""
    images, targets = zip(*batch, strict=True)
    return list(images), list(targets)


@register("Loader", outputs={"images": None, "targets": None})
class Loader:
    """Batches of a dataset on the device: tensors, or lists of them for detection.

    Args:
        dataset: a `#core.Dataset` or any dataset of torch
        batch_size: items in a batch
        shuffle: a new order each pass
        workers: processes that read
        device: `"@run.device"`
        drop_last: leave out a last batch that is smaller
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 16,
        shuffle: bool = False,
        workers: int = 0,
        device: Any = "cpu",
        drop_last: bool = False,
    ) -> None:
        if not len(dataset):
            raise ValueError("the dataset is empty: the sample has nothing of the kind that its task needs")
        self.dataset, self.device = dataset, torch.device(device)
        self._loader = DataLoader(
            dataset,
            batch_size,
            shuffle=shuffle,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            drop_last=drop_last,
            collate_fn=collate_lists if getattr(dataset, "task", "") == "detection" else None,
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for images, targets in self._loader:
            yield moved(images, self.device), moved(targets, self.device)


def moved(value: Any, device: Any) -> Any:
    """A tensor, or lists and dictionaries of tensors, on the device; anything else as it is.

    Args:
        value: what a loader gave
        device: `"@run.device"`
    """
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: moved(part, device) for name, part in value.items()}
    return [moved(part, device) for part in value] if isinstance(value, list) else value
