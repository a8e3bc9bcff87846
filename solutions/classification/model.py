"""The network: four convolutions and one linear layer, small enough to learn from a few hundred crops."""

from pathlib import Path

import torch
from torch import Tensor, nn


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """3 x 3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class CropClassifier(nn.Module):
    """forward: crops (B, 3, S, S) in 0..1 -> logits (B, C)."""

    def __init__(self, class_count: int, width: int = 16, crop_size: int = 48) -> None:
        super().__init__()
        self.class_count = class_count
        # Travels with the weights, so that the test sees crops of the size that the training saw.
        self.register_buffer("crop_size", torch.tensor(crop_size))
        self.features = nn.Sequential(
            conv(3, width, stride=2),
            conv(width, width * 2),
            nn.MaxPool2d(2),
            conv(width * 2, width * 4),
            nn.MaxPool2d(2),
            conv(width * 4, width * 8),
        )
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width * 8, class_count))

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (B, 3, S, S) -> logits (B, C)."""
        # The mean over all places: a pore is a pore wherever in the crop it lies.
        return self.head(self.features((crops - 0.5) / 0.25).mean(dim=(2, 3)))

    @classmethod
    def from_weights(cls, path: Path) -> "CropClassifier":
        """The trained network of a .pth file; its sizes are read from the shapes of the weights."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        model = cls(class_count=len(state["head.1.bias"]), width=len(state["features.0.0.weight"]))
        model.load_state_dict(state)
        return model.eval()
