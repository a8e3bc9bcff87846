"""Small networks and generated data for the examples: real tensors, no files, no network."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset


class Digits(Dataset[tuple[Tensor, int]]):
    """Images 1x8x8 of ten classes: a bright bar whose place and direction tell the class, under noise."""

    def __init__(self, n: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.randint(0, 10, (n,), generator=generator)
        self.images = 0.5 * torch.randn(n, 1, 8, 8, generator=generator)
        for image, label in zip(self.images, self.labels.tolist(), strict=True):
            if label < 5:
                image[0, label] += 2
            else:
                image[0, :, label - 5] += 2

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])


class Net(nn.Module):
    """A perceptron for Digits."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, 10)."""
        logits: Tensor = self.layers(images)
        return logits


class Accuracy:
    """Share of right answers over the batches since `reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything counted."""
        self.right, self.total = 0, 0

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Count one batch."""
        self.right += int((logits.argmax(1) == labels).sum())
        self.total += len(labels)

    def compute(self) -> float:
        """The share, 0..1."""
        return self.right / max(1, self.total)


class Patience:
    """`done` becomes true after `epochs` updates without a better score."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.best, self.waited = float("-inf"), 0

    @property
    def done(self) -> bool:
        """Whether it is time to stop."""
        return self.waited >= self.epochs

    def update(self, score: float) -> None:
        """Take one score."""
        self.best, self.waited = (score, 0) if score > self.best else (self.best, self.waited + 1)

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take a kept state."""
        self.best, self.waited = state["best"], int(state["waited"])


class Ring(Dataset[Tensor]):
    """Points of the plane near a circle."""

    def __init__(self, n: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        angles = torch.rand(n, generator=generator) * 6.2832
        self.points = torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(n, 2, generator=generator)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> Tensor:
        return self.points[index]


class Gen(nn.Module):
    """Noise to points."""

    def __init__(self, z: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(z, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, noise: Tensor) -> Tensor:
        """Points (batch, 2)."""
        points: Tensor = self.layers(noise)
        return points


class Disc(nn.Module):
    """Points to one logit: real or made."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, points: Tensor) -> Tensor:
        """Logits (batch, 1)."""
        logits: Tensor = self.layers(points)
        return logits


class Shapes(Dataset[tuple[Tensor, Tensor]]):
    """Images 1x16x16 with a bright square, and masks of it."""

    def __init__(self, n: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.images = 0.3 * torch.randn(n, 1, 16, 16, generator=generator)
        self.masks = torch.zeros(n, 16, 16, dtype=torch.long)
        corners: Iterable[list[int]] = torch.randint(0, 10, (n, 2), generator=generator).tolist()
        for index, (top, left) in enumerate(corners):
            self.images[index, 0, top : top + 6, left : left + 6] += 1.5
            self.masks[index, top : top + 6, left : left + 6] = 1

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.masks[index]


class Backbone(nn.Module):
    """Image to features of `width` channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        """Features (batch, width, height, width)."""
        features: Tensor = self.layers(images)
        return features


class Head(nn.Module):
    """Features to class logits per pixel."""

    def __init__(self, width: int, classes: int = 2) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width, classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (batch, classes, height, width)."""
        logits: Tensor = self.layer(features)
        return logits


class MultiHead(nn.Module):
    """One backbone, several heads; gives a dictionary of their outputs."""

    def __init__(self, backbone: nn.Module, heads: dict[str, nn.Module]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict(heads)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Head name → its output."""
        features = self.backbone(images)
        return {name: head(features) for name, head in self.heads.items()}
