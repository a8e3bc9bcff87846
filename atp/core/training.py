"""What a longer training has beside its loop: mixed precision, mean weights, the best score so far, a limit of time."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from atp.registry import register

MODES = {"32-true": None, "16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}


@register("Precision")
class Precision:
    """Mixed precision: `with: {"@precision.context": }` around the forward pass, then its `backward` and `step`.

    Args:
        mode: 32-true; 16-mixed scales the loss and is bf16-mixed on a CPU; bf16-mixed;
            auto is bf16-mixed where the device computes bfloat16 by itself, else 32-true
        device: `"@run.device"`
    """

    def __init__(self, mode: str = "32-true", device: Any = "cpu") -> None:
        if mode not in (*MODES, "auto"):
            raise ValueError(f"mode is {mode!r}; it can be {', '.join(MODES)}, auto")
        self._kind = torch.device(device).type
        if mode == "auto":
            mode = "bf16-mixed" if _has_bfloat16(self._kind) else "32-true"
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
        """A step of the optimiser, left out where a gradient is not finite: it would make weights NaN for good."""
        if not self._scaler.is_enabled() and not _are_finite(optimizer):
            return
        self._scaler.step(optimizer)  # with scaling it looks itself
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(self._scaler.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a kept state; one of another mode is left aside."""
        if state:
            self._scaler.load_state_dict(state)


def _are_finite(optimizer: torch.optim.Optimizer) -> bool:
    gradients = [one.grad for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
    return bool(torch.nn.utils.get_total_norm(gradients).isfinite())


def _has_bfloat16(kind: str) -> bool:
    """Whether the processor has instructions for it: emulated, it is slower than float32."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


@register("MovingAverage")
class MovingAverage:
    """Running mean of weights: `"@average.update"` after a step, `with: {"@average.weights": }` puts it in their place.

    It starts short, so that a brief training is not held back by its start: after n steps at most (1 + n) / (10 + n)
    of it stays.

    Args:
        model: the network, on its device
        decay: share of the mean that a step leaves, e.g. 0.998; 0 keeps no mean
    """

    def __init__(self, model: nn.Module, decay: float = 0.0) -> None:
        self._model = model
        self._mean = AveragedModel(model, avg_fn=_short_at_first(decay), use_buffers=True) if decay else None

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


def _short_at_first(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    def mean(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        return averaged * kept + current * (1 - kept)

    return mean


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


@register("TimeBudget")
class TimeBudget:
    """A training of so many minutes: `"@budget.start"`, then `break: "@budget.is_over"` in the loops.

    `with: {"@budget.validation": }` around a validation leaves time for the last one: as much as the longest took.
    Given to `#core.WarmupCosine`, the rate falls with the time.

    Args:
        minutes: of training and validation together, those before a resume included; 0 sets no limit
    """

    def __init__(self, minutes: float = 0.0) -> None:
        self._budget_s = 60 * minutes
        self._spent_s = self._validation_s = 0.0
        self._started: float | None = None

    @property
    def share(self) -> float:
        """What part of the time is over, 0..1."""
        if not self._budget_s:
            return 0.0
        return min(1.0, self._used_s() / max(self._budget_s - self._validation_s, 1e-9))

    @property
    def is_over(self) -> bool:
        """Whether it is time for the last validation."""
        return self.share >= 1

    def start(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    @contextlib.contextmanager
    def validation(self) -> Iterator[None]:
        """Measures what is inside."""
        begin = time.monotonic()
        yield
        self._validation_s = max(self._validation_s, time.monotonic() - begin)

    def _used_s(self) -> float:
        return self._spent_s + (time.monotonic() - self._started if self._started is not None else 0.0)

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps: a resumed training has the rest of the time."""
        return {"spent_s": self._used_s(), "validation_s": self._validation_s}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a kept state."""
        self._spent_s, self._validation_s = state["spent_s"], state["validation_s"]
