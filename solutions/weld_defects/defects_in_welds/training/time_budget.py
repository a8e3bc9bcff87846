"""Ends a training after so many minutes and tells how much of it is over, so that the learning rate can follow."""

import time
from typing import Any

from lightning import Callback, LightningModule, Trainer


class TimeBudget(Callback):
    """`minutes` are those of training and validation together, those before a resume included; 0 sets no limit.

    The training stops early enough for a last validation: as long as the longest one so far, in the first epoch as long
    as the training makes expect.
    """

    def __init__(self, minutes: float, spent_s: float = 0.0) -> None:
        """`spent_s`: seconds that are over already, e.g. those of an attempt that ran out of memory."""
        self.budget_s = 60 * minutes
        self.spent_s = spent_s
        self.started: float | None = None
        self.validation_start = self.validation_s = self.expected_validation_s = 0.0

    @property
    def share(self) -> float:
        """What part of the time is over, 0..1."""
        if not self.budget_s:
            return 0.0
        # Half of the time at most: the first batches are slow, and what they make expect is too long.
        reserved_s = self.validation_s or min(self.expected_validation_s, self.budget_s / 2)
        return min(1.0, self.used_s / max(self.budget_s - reserved_s, 1e-9))

    @property
    def used_s(self) -> float:
        """Seconds that are over."""
        return self.spent_s + (time.monotonic() - self.started if self.started is not None else 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Time is up: Lightning validates once more and ends."""
        # An image takes about half the time when nothing is learned from it (README, "Measured").
        batch_s = (time.monotonic() - self.started) / (batch_idx + 1)
        self.expected_validation_s = batch_s / 2 * sum(trainer.num_val_batches)
        if self.share >= 1:
            trainer.should_stop = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the validation."""
        self.validation_start = time.monotonic()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Learn how long one takes."""
        self.validation_s = max(self.validation_s, time.monotonic() - self.validation_start)

    def state_dict(self) -> dict[str, float]:
        """Goes into the checkpoint: a resumed training has the rest of the time."""
        return {"spent_s": self.used_s, "validation_s": self.validation_s}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """The time spent before."""
        # A checkpoint does not know of what was spent after it, in an attempt that failed.
        self.spent_s, self.validation_s = max(self.spent_s, state_dict["spent_s"]), state_dict["validation_s"]
