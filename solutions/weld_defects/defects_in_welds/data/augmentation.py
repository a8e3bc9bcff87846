"""Random changes of a training image and its boxes. Every one is a parameter, and 0 turns it off."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

LEAST_BOX_PX = 1e-3
"""torchvision's crop makes a box whose middle it cuts off a point; a thin one, e.g. of a crack, is a box like others"""


def make_augmentation(settings: Mapping[str, Any]) -> v2.Transform | None:
    """The chain that configs/params.yaml, group `augment`, asks for; None if it asks for nothing."""
    steps: list[v2.Transform] = []
    if settings["zoom_out_probability"]:
        # Smaller defects: the image on a grey ground, up to twice as big.
        steps.append(v2.RandomZoomOut(fill=127, side_range=(1.0, 2.0), p=settings["zoom_out_probability"]))
    if settings["crop_probability"]:
        steps.append(v2.RandomApply([CropAroundBoxes()], settings["crop_probability"]))
    if settings["flip_probability"]:
        steps.append(v2.RandomHorizontalFlip(settings["flip_probability"]))
        steps.append(v2.RandomVerticalFlip(settings["flip_probability"]))
    if settings["turn_probability"]:
        steps.append(v2.RandomApply([QuarterTurn()], settings["turn_probability"]))
    if settings["colour_strength"]:
        strength = settings["colour_strength"]
        steps.append(v2.ColorJitter(strength, strength, strength))
    if settings["grey_probability"]:
        steps.append(v2.RandomGrayscale(settings["grey_probability"]))
    if settings["blur_probability"]:
        steps.append(v2.RandomApply([v2.GaussianBlur(5, (0.1, 1.5))], settings["blur_probability"]))
    if settings["noise_strength"]:
        steps.append(Noise(settings["noise_strength"]))
    if not steps:
        return None
    return v2.Compose([*steps, v2.ClampBoundingBoxes(), DropLostBoxes()])


class CropAroundBoxes(v2.RandomIoUCrop):
    """A part of the image that keeps the middle of a box and at least 0.3 of its overlap, or the image as it is."""

    def __init__(self) -> None:
        # 1.0 means: leave the image. Without it torchvision looks for a crop without end where there is none.
        super().__init__(min_scale=0.4, max_scale=1.0, sampler_options=[0.3, 0.5, 0.7, 0.9, 1.0])

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Where to cut; an image without boxes stays whole."""
        boxes = next(one for one in flat_inputs if isinstance(one, BoundingBoxes))
        return super().make_params(flat_inputs) if len(boxes) else {}


class DropLostBoxes(torch.nn.Module):
    """Takes boxes out that a crop left no area. SanitizeBoundingBoxes would take every box under a pixel as well."""

    def forward(self, image: Tensor, target: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Boxes and their labels."""
        corners = target["boxes"].as_subclass(Tensor)
        keep = (corners[:, 2:] - corners[:, :2] > LEAST_BOX_PX).all(dim=1)
        return image, {"boxes": corners[keep], "labels": target["labels"][keep]}


class QuarterTurn(v2.Transform):
    """A turn by 90 degrees to the left; with the mirrors all eight positions of a picture come up."""

    def transform(self, given: Any, params: dict[str, Any]) -> Any:
        """Turns images and boxes alike; labels pass."""
        if isinstance(given, Tensor) and given.ndim == 1:
            return given
        return v2.functional.rotate(given, 90, expand=True)


class Noise(v2.Transform):
    """Sensor noise: normal, its deviation drawn from 0 to `strength` of the range of values."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """One deviation for the image."""
        return {"deviation": 255 * self.strength * float(torch.rand(()))}

    def transform(self, given: Any, params: dict[str, Any]) -> Any:
        """Changes 8-bit images (3, H, W); boxes and labels pass."""
        if not (isinstance(given, Tensor) and given.dtype == torch.uint8 and given.ndim == 3):
            return given
        noisy = given + params["deviation"] * torch.randn(given.shape[1:])
        return noisy.round_().clamp_(0, 255).to(torch.uint8)
