"""What each epoch brought: an entry of metrics/history.json, beside the best one by val_mAP, and a line of text."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from defects_in_welds.data.problems import text


class HistoryWriter(Callback):
    """{"epochs": [{"epoch": 1, "train_loss": …, "val_mAP": …, …}], "best": {…}}, rewritten each epoch.

    `images_per_s` is the speed of training, validation left out. `left_out_steps` were not taken, because their loss or
    gradients were not finite; `train_loss` is the mean of the finite ones, null if there is none.
    """

    def __init__(self, path: Path, say: Callable[[str], None], language: str) -> None:
        self.path, self.say, self.language = path, say, language
        self.epochs: list[dict[str, float | None]] = []
        self.epoch_start = self.images_per_s = 0.0
        self.seen_images = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.epoch_start, self.seen_images = time.monotonic(), 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count images."""
        self.seen_images += len(batch[0])

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Training of the epoch is over: its speed is known."""
        self.images_per_s = self.seen_images / max(time.monotonic() - self.epoch_start, 1e-9)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validation of the epoch is done by now."""
        known = trainer.callback_metrics
        values = {
            "train_loss": known.get("train_loss_epoch"),
            "val_mAP": known.get("val_mAP"),
            "val_mAP50": known.get("val_mAP50"),
            "left_out_steps": known.get("left_out_steps"),
            "images_per_s": self.images_per_s,
        }
        known_values = {name: float(value) for name, value in values.items() if value is not None}
        # JSON has no NaN, which the mean loss of an epoch is if every step of it was left out.
        entry = {name: round(one, 5) if math.isfinite(one) else None for name, one in known_values.items()}
        self.epochs.append({"epoch": trainer.current_epoch + 1, **entry})
        best = max(self.epochs, key=lambda one: one.get("val_mAP", 0.0))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Replaced whole: who reads it, or kills this process, meets the old one or the new one.
        written = self.path.with_name(self.path.name + ".new")
        written.write_text(json.dumps({"epochs": self.epochs, "best": best}, indent=1), encoding="utf-8")
        written.replace(self.path)
        holes = {"epoch": trainer.current_epoch + 1, "epochs": trainer.max_epochs, "rate": self.images_per_s}
        figures = {"loss": "train_loss", "map": "val_mAP", "map50": "val_mAP50"}
        holes |= {hole: known_values.get(name, math.nan) for hole, name in figures.items()}
        self.say(text("epoch_done", self.language, **holes))

    def state_dict(self) -> dict[str, list[dict[str, float | None]]]:
        """Goes into the checkpoint, so that a resumed training keeps its past."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, list[dict[str, float | None]]]) -> None:
        """The past of a resumed training."""
        self.epochs = list(state_dict["epochs"])
