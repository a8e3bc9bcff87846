"""How the detector learns: losses, schedule and validation, for lightning.Trainer."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from defects_in_welds.model.detector import WeldDetector

MOST_LEFT_OUT = 100
"""steps in a row without finite gradients that end a training; half precision needs some to find its scale"""
Batch = tuple[list[Tensor], list[dict[str, Tensor]]]


class DetectionModule(LightningModule):
    """Logs train_loss (and its four parts) each step, val_mAP (COCO, IoU 0.50:0.95) and val_mAP50 each epoch.

    The losses of an epoch are means over the batches whose loss was finite; `left_out_steps` counts steps not taken.
    """

    def __init__(
        self, detector: WeldDetector, train: Mapping[str, Any], time_share: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`time_share`: what part of the allowed time is over, 0..1."""
        super().__init__()
        self.detector = detector
        self.time_share = time_share
        self.train_settings = dict(train)
        self.val_metric = MeanAveragePrecision(backend="pycocotools")
        self.left_out = self.left_out_in_epoch = 0

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The sum of the four losses of Faster R-CNN."""
        images, targets = batch
        losses = self.detector(images, targets)
        total = sum(losses.values())
        parts = {f"train_{name.removeprefix('loss_')}": value for name, value in losses.items()} | {"train_loss": total}
        self.log_dict({f"{name}_step": value for name, value in parts.items()}, on_step=True, on_epoch=False)
        # One NaN would make the mean of an epoch one; with a weight of 0 an epoch of nothing else still is.
        means = {f"{name}_epoch": value.nan_to_num(0, 0, 0) for name, value in parts.items()}
        weight = len(images) if total.isfinite() else 0
        self.log_dict(means, on_step=False, on_epoch=True, batch_size=weight)
        return total

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Leaves a step out whose gradients are not finite: clipped, they would make every weight a NaN.

        Raises FloatingPointError after MOST_LEFT_OUT such steps in a row.
        """
        gradients = [one.grad for one in self.parameters() if one.grad is not None]
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self.left_out = 0
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        optimizer.zero_grad()
        self.left_out += 1
        self.left_out_in_epoch += 1
        if self.left_out > MOST_LEFT_OUT:
            raise FloatingPointError(f"{self.left_out} steps in a row without finite gradients")

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collects answers for the mean average precision."""
        images, targets = batch
        self.val_metric.update(self.detector(images), targets)

    def on_validation_epoch_end(self) -> None:
        """Logs val_mAP; it is -1 in COCO's terms if there is no true box at all, which is 0 here."""
        result = self.val_metric.compute()
        self.val_metric.reset()
        self.log_dict(
            {"val_mAP": result["map"].clamp(min=0), "val_mAP50": result["map_50"].clamp(min=0)}, prog_bar=True
        )
        # The training of the epoch is over by now.
        self.log("left_out_steps", float(self.left_out_in_epoch))
        self.left_out_in_epoch = 0

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW; the rate rises over the warm-up and falls along a cosine to zero."""
        settings = self.train_settings
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learning, settings["learning_rate"], weight_decay=settings["weight_decay"])
        total = max(int(self.trainer.estimated_stepping_batches), 1)
        warmup = max(1, round(total * settings["warmup_share"]))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_factor(max(step, self.time_share() * total), warmup, total)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_factor(step: float, warmup: int, total: int) -> float:
    """Part of the highest learning rate at `step` (0..total): linear rise over `warmup` steps, then a cosine to 0."""
    if step < warmup:
        return min(1.0, (step + 1) / warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, total - warmup))))
