"""Backbone, heads and whole networks. images (B, 3, H, W) in 0..1 → features {level: (B, C, h, w)} → logits."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from atp.core.blocks import conv_block
from atp.registry import register

Features = dict[str, Tensor]
TINY = "tiny"


@register("Backbone", inputs={"images": Tensor}, outputs={"features": dict})
class Backbone(nn.Module):
    """Encoder: images to feature maps by level, finest first; `channels` lists their channels.

    Args:
        name: `tiny` (three blocks), or resnet18, resnet50, resnext50_32x4d … of torchvision
        weights: file with a state dict of the whole torchvision network; empty starts from random weights
        width: channels of the first block of `tiny`
        channels_in: channels of the images, `tiny` only
    """

    def __init__(self, name: str = TINY, weights: str = "", width: int = 16, channels_in: int = 3) -> None:
        super().__init__()
        if name == TINY:
            self.levels = _tiny_levels(channels_in, width)
            self.channels = [width, 2 * width, 4 * width]
        else:
            self.levels, self.channels = _torchvision_levels(name, weights)

    def forward(self, images: Tensor) -> Features:
        """Maps of each level."""
        features: Features = {}
        for number, level in enumerate(self.levels):
            images = level(images)
            features[str(number)] = images
        return features


def _tiny_levels(channels_in: int, width: int) -> nn.ModuleList:
    widths = [channels_in, width, 2 * width, 4 * width]
    return nn.ModuleList([conv_block(before, after, stride=2) for before, after in pairwise(widths)])


def _torchvision_levels(name: str, weights: str) -> tuple[nn.ModuleList, list[int]]:
    from torchvision.models import get_model

    network = get_model(name, weights=None)
    if not hasattr(network, "layer4"):
        raise ValueError(f"backbone {name!r} has no layer1 … layer4; take {TINY!r} or one of the ResNet family")
    if weights:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool, network.layer1)
    levels = nn.ModuleList([stem, network.layer2, network.layer3, network.layer4])
    channels = [int(network.fc.in_features) // 2**power for power in (3, 2, 1, 0)]
    return levels, channels


class ClassHead(nn.Module):
    """What heads share: names of the classes that travel inside the weights. `layer` has one row for each output."""

    layer: nn.Module

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        if isinstance(classes, str) or not classes:
            raise ValueError(f"classes are {classes!r}, a list of names is needed")
        self.classes = [str(name) for name in classes]

    def get_extra_state(self) -> Tensor:
        """Names as bytes in a tensor: part of every state dict, readable with weights_only."""
        return torch.tensor(list(json.dumps(self.classes).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Raises ValueError if the weights are of other classes: `core.take_weights` is for that."""
        stored = classes_in(state)
        if stored != self.classes:
            raise ValueError(
                f"the weights know the classes {stored}, the head has {self.classes}: use core.take_weights"
            )


def classes_in(state: Tensor) -> list[str]:
    """Names from a head's extra state."""
    return [str(name) for name in json.loads(bytes(state.tolist()))]


@register("ClassificationHead", inputs={"features": dict}, outputs={"logits": Tensor})
class ClassificationHead(ClassHead):
    """Decoder: the coarsest map, averaged, to logits (B, classes).

    Args:
        backbone: the Backbone whose features come in
        classes: names of the classes
        dropout: share of numbers that a training drops, 0..1
    """

    def __init__(self, backbone: Backbone, classes: Sequence[str], dropout: float = 0.0) -> None:
        super().__init__(classes)
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Linear(backbone.channels[-1], len(self.classes))

    def forward(self, features: Features) -> Tensor:
        """Logits (B, classes)."""
        coarsest = list(features.values())[-1]
        logits: Tensor = self.layer(self.dropout(coarsest.mean((2, 3))))
        return logits


@register("SegmentationHead", inputs={"features": dict}, outputs={"logits": Tensor})
class SegmentationHead(ClassHead):
    """Decoder: one level to logits (B, classes + 1, h, w); output 0 is the background, so masks hold class id + 1.

    Args:
        backbone: the Backbone whose features come in
        classes: names of the classes, without the background
        level: number of the level that is read, 0 is the finest
    """

    def __init__(self, backbone: Backbone, classes: Sequence[str], level: int = 0) -> None:
        super().__init__(["background", *classes])
        self.level = level
        width = backbone.channels[level]
        self.block = conv_block(width, width)
        self.layer = nn.Conv2d(width, len(self.classes), 1)

    def forward(self, features: Features) -> Tensor:
        """Logits at the size of the level; the network brings them to the size of the images."""
        logits: Tensor = self.layer(self.block(list(features.values())[self.level]))
        return logits


@register("Network", inputs={"images": Tensor}, outputs={"logits": Tensor})
class Network(nn.Module):
    """Atomic network: a backbone and a head.

    Args:
        backbone: encoder
        head: decoder; logits of pixels are brought to the size of the images
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes), or (B, classes + 1, H, W) of a segmentation."""
        return _at_size(self.head(self.backbone(images)), images)


@register("MultiHeadNetwork", inputs={"images": Tensor}, outputs={"logits": dict})
class MultiHeadNetwork(nn.Module):
    """One backbone, several heads: a dictionary of their logits, to be picked by `output: {name: head}`.

    Args:
        backbone: encoder
        heads: name of a head → decoder
    """

    def __init__(self, backbone: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits by the name of the head."""
        features = self.backbone(images)
        return {name: _at_size(head(features), images) for name, head in self.heads.items()}


def _at_size(logits: Tensor, images: Tensor) -> Tensor:
    if logits.dim() != 4:
        return logits
    return nn.functional.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)


def read_state(path: str | Path, target: str = "model") -> dict[str, Tensor]:
    """A state dict of weights, or of `target` in a checkpoint of `#atp.Checkpoint`.

    Raises FileNotFoundError, ValueError if the checkpoint has no such target.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there are no weights {path}")
    stored = torch.load(path, map_location="cpu", weights_only=True)
    if "targets" not in stored:
        return dict(stored)
    if target not in stored["targets"]:
        raise ValueError(f"checkpoint {path} has no {target!r}; it has {', '.join(stored['targets'])}")
    return dict(stored["targets"][target])
