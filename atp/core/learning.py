"""How a network learns: optimiser, schedule, loss. Names are torch's own."""

import math
from collections.abc import Sized
from typing import Any

import torch
from torch import Tensor, nn

from atp.registry import register


@register("Optimizer", outputs={"optimizer": torch.optim.Optimizer})
def optimizer(model: Any, name: str = "AdamW", lr: float = 1e-3, **options: Any) -> torch.optim.Optimizer:
    """An optimiser of torch over the parameters that learn.

    Args:
        model: a network or a list of them
        name: AdamW, SGD, … of torch.optim
        lr: learning rate
        options: passed on, e.g. weight_decay, momentum
    """
    models = [model] if isinstance(model, nn.Module) else list(model)
    learning = [parameter for one in models for parameter in one.parameters() if parameter.requires_grad]
    made: torch.optim.Optimizer = _class(torch.optim, name, torch.optim.Optimizer)(learning, lr=lr, **options)
    return made


@register("Scheduler", inputs={"optimizer": torch.optim.Optimizer}, outputs={"scheduler": None})
def scheduler(optimizer: torch.optim.Optimizer, name: str, **options: Any) -> Any:
    """A schedule of torch for the learning rate; `"@scheduler.step"` moves it on.

    Args:
        optimizer: whose rate changes
        name: StepLR, CosineAnnealingLR, OneCycleLR, … of torch.optim.lr_scheduler
        options: passed on, e.g. step_size
    """
    return _class(torch.optim.lr_scheduler, name, torch.optim.lr_scheduler.LRScheduler)(optimizer, **options)


@register("WarmupCosine", inputs={"optimizer": torch.optim.Optimizer}, outputs={"scheduler": None})
def warmup_cosine(
    optimizer: torch.optim.Optimizer,
    batches: Sized,
    epochs: int,
    accumulate: int = 1,
    warmup: float = 0.05,
    budget: Any = None,
) -> Any:
    """The rate rises over the warm-up and falls along a cosine to zero; one step for each step of the optimiser.

    Args:
        optimizer: whose rate changes
        batches: the loader of the training
        epochs: passes over it
        accumulate: batches for one step of the optimiser
        warmup: part of the training in which the rate rises, 0..1
        budget: a `#core.TimeBudget`; the rate falls with its time where that is ahead of the steps
    """
    total = max(1, math.ceil(len(batches) / accumulate) * epochs)
    rising = max(1, round(total * warmup))

    def factor(count: int) -> float:
        step = max(count, budget.share * total) if budget is not None else count
        if step < rising:
            return min(1.0, (step + 1) / rising)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, total - rising))))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


@register("Loss", inputs={"logits": Tensor, "targets": Tensor}, outputs={"loss": Tensor})
class Loss(nn.Module):
    """Scalar loss of logits against targets.

    Args:
        name: dice, focal, or a class of torch.nn: CrossEntropyLoss, MSELoss …
        options: passed on, e.g. label_smoothing; of focal alpha, gamma
    """

    def __init__(self, name: str = "CrossEntropyLoss", **options: Any) -> None:
        super().__init__()
        self.name, self.options = name, options
        self.inner = None if name in ("dice", "focal") else _class(nn, name, nn.Module)(**options)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean over the batch."""
        if self.inner is not None:
            loss: Tensor = self.inner(logits, targets)
            return loss
        hot = nn.functional.one_hot(targets, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
        return _dice(logits, hot) if self.name == "dice" else _focal(logits, hot, self.options)


def _dice(logits: Tensor, hot: Tensor) -> Tensor:
    """1 minus Dice over classes; neither torch nor torchvision has it."""
    answers = logits.softmax(1)
    places = [0, *range(2, logits.dim())]
    shared, both = (answers * hot).sum(places), (answers + hot).sum(places)
    return 1 - ((2 * shared + 1) / (both + 1)).mean()


def _focal(logits: Tensor, hot: Tensor, options: dict[str, Any]) -> Tensor:
    from torchvision.ops import sigmoid_focal_loss

    loss: Tensor = sigmoid_focal_loss(logits, hot, reduction="mean", **options)
    return loss


def _class(module: Any, name: str, base: type) -> Any:
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        known = sorted(
            key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, base)
        )
        raise ValueError(f"{module.__name__} has no {name!r}; it has {', '.join(known)}")
    return found
