"""What a longer training has beside its loop: mixed precision, a running mean of the weights, the best score so far."""

import contextlib
import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from atp.registry import register

MODES = {"32-true": None, "16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


@register("Precision")
class Precision:
    """Mixed precision: `with: {"@precision.context": }` around the forward pass, then its `backward` and `step`.

    Args:
        mode: 32-true changes nothing; 16-mixed scales the loss and is bf16-mixed on a CPU; bf16-mixed
        device: `"@run.device"`
    """

    def __init__(self, mode: str = "32-true", device: Any = "cpu") -> None:
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; it can be {', '.join(MODES)}")
        self._kind = torch.device(device).type
        is_half_on_cpu = mode == "16-mixed" and self._kind == "cpu"
        self._dtype = torch.bfloat16 if is_half_on_cpu else MODES[mode]
        self._scaler = torch.amp.GradScaler(self._kind, enabled=self._dtype is torch.float16)

    def context(self) -> Any:
        """Operations inside choose their precision."""
        # No cache, as under Lightning: gradients of a layer that is used several times add up in full precision.
        return torch.autocast(self._kind, self._dtype, enabled=self._dtype is not None, cache_enabled=False)

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss, scaled so that small ones are not lost."""
        self._scaler.scale(loss).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the gradients true before they are clipped."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """A step of the optimiser, left out where gradients overflowed."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(self._scaler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a kept state; one of another mode is left aside."""
        if state:
            self._scaler.load_state_dict(state)


@register("MovingAverage")
class MovingAverage:
    """Running mean of weights: `"@average.update"` after a step, `with: {"@average.weights": }` puts it in their place.

    Args:
        model: the network, on its device
        decay: share of the mean that a step leaves, e.g. 0.998; 0 keeps no mean
    """

    def __init__(self, model: nn.Module, decay: float = 0.0) -> None:
        self._model = model
        self._mean = AveragedModel(model, avg_fn=get_ema_avg_fn(decay), use_buffers=True) if decay else None

    def update(self) -> None:
        """Take the weights of now into the mean."""
        if self._mean is not None:
            self._mean.update_parameters(self._model)

    @contextlib.contextmanager
    def weights(self) -> Iterator[None]:
        """The network has the mean weights inside, and its own again after."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        if self._mean is None:
            return
        mean = self._mean.module
        pairs = zip(
            chain(mean.parameters(), mean.buffers()),
            chain(self._model.parameters(), self._model.buffers()),
            strict=True,
        )
        with torch.no_grad():
            for averaged, own in pairs:
                kept = averaged.clone()
                averaged.copy_(own)
                own.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(self._mean.state_dict()) if self._mean is not None else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a kept state; one without a mean is left aside."""
        if self._mean is not None and state:
            self._mean.load_state_dict(state)


@register("Best", inputs={"score": float}, outputs={"is_better": bool})
class Best:
    """The best score so far: `{"@best": $score, output: is_better}`; `break: "@best.is_over"` stops early.

    Args:
        patience: scores in a row that are not better before `is_over`; 0 never stops
    """

    def __init__(self, patience: int = 0) -> None:
        self.patience, self.score, self.waited = patience, -math.inf, 0

    @property
    def is_over(self) -> bool:
        """Whether nothing better came for long enough."""
        return bool(self.patience) and self.waited >= self.patience

    def __call__(self, score: float) -> bool:
        """Count a score, and say whether it is better than all before."""
        is_better = float(score) > self.score
        self.score, self.waited = (float(score), 0) if is_better else (self.score, self.waited + 1)
        return is_better

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"score": self.score, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a kept state."""
        self.score, self.waited = state["score"], int(state["waited"])
