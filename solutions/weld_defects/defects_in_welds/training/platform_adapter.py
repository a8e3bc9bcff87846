"""Joins workstation and training: parameters become Hydra overrides, Lightning's events become reports."""

import math
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from lightning import Callback, LightningModule, Trainer
from omegaconf import DictConfig

import PlatformAPI
from defects_in_welds.data.problems import text


def config_from_params(params: dict[str, dict[str, Any]], config_folder: Path, device: str) -> DictConfig:
    """configs/params.yaml with the form's values on top; `device` is torch's name of the chosen one.

    A form's group and name are a group and name of configs/, so params.yaml needs no table of translations.
    """
    overrides = [
        f"{group}.{name}={_hydra_value(value)}" for group, entries in params.items() for name, value in entries.items()
    ]
    kind, _, index = device.partition(":")
    overrides.append(f"trainer.accelerator={'gpu' if kind == 'cuda' else kind}")
    # Lightning counts devices for "1" and names one for "[1]".
    overrides.append(f"trainer.devices=[{int(index or 0)}]" if kind == "cuda" else "trainer.devices=1")
    # The workstation records the run: a second record inside it would only confuse.
    overrides += ["logging.mlflow=false", "logging.tensorboard=false"]
    with initialize_config_dir(str(config_folder.absolute()), version_base=None):
        return compose("params", overrides)


def _hydra_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


class PlatformReporter(Callback):
    """Progress, messages, points and checkpoints of a training, through PlatformAPI."""

    def __init__(self, artifacts: Path, language: str = "en") -> None:
        self.artifacts, self.language = artifacts, language
        self.graphs = PlatformAPI.get_train_graph_logger()
        self.logger = PlatformAPI.get_logger()
        self.best_shown = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what is about to happen."""
        learning = sum(p.numel() for p in pl_module.parameters() if p.requires_grad)
        total = sum(p.numel() for p in pl_module.parameters())
        holes = {"device": pl_module.device, "learning": learning / 1e6, "total": total / 1e6}
        holes |= {"epochs": trainer.max_epochs, "batches": trainer.num_training_batches}
        self.logger.info(self._text("training_starts", **holes))
        if minutes := pl_module.train_settings["max_minutes"]:
            self.logger.info(self._text("time_limit", minutes=minutes))
        if trainer.current_epoch:
            self.logger.info(self._text("resumed", epoch=trainer.current_epoch))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The checkpoint of the epoch before is written by now."""
        self._save_best(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """The losses of this batch and the progress."""
        epoch = trainer.current_epoch + 1
        step = trainer.current_epoch * int(trainer.num_training_batches) + batch_idx + 1
        loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
        self.graphs.log_point("train_loss", loss, epoch, step)
        for name in ("train_classifier", "train_box_reg", "train_objectness", "train_rpn_box_reg"):
            value = trainer.callback_metrics.get(f"{name}_step")
            if value is not None:
                self.graphs.log_point(name, float(value), epoch, step)
        self.graphs.log_point("learning_rate", trainer.optimizers[0].param_groups[0]["lr"], epoch, step)
        if not math.isfinite(loss):
            self.logger.warning(self._text("loss_not_finite", epoch=epoch, batch=batch_idx + 1, loss=loss))
        # The last per cent belongs to the final validation and the saving of weights.
        share = max(step / (trainer.max_epochs * trainer.num_training_batches), pl_module.time_share())
        PlatformAPI.save_progress_for_platform(99.0 * share)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The epoch's figures."""
        epoch, known = trainer.current_epoch + 1, trainer.callback_metrics
        step = epoch * int(trainer.num_training_batches)
        for name in ("train_loss_epoch", "val_mAP", "val_mAP50"):
            self.graphs.log_point(name, float(known[name]), epoch, step)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The best checkpoint and the one to go on from."""
        self._save_best(trainer)
        self._save_last(trainer)
        if trainer.current_epoch < (trainer.max_epochs or 0):
            reason = "time_over" if pl_module.time_share() >= 1 else "stopped_early"
            self.logger.info(self._text(reason, epoch=trainer.current_epoch))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A stopped or broken training keeps its last checkpoint, too."""
        self._save_last(trainer)

    def _text(self, code: str, **holes: Any) -> str:
        return text(code, self.language, **holes)

    def _save_best(self, trainer: Trainer) -> None:
        checkpoint = trainer.checkpoint_callback
        if checkpoint.best_model_score is None:
            return
        # By the file, not by the score: an equal one may have been written over it.
        written = Path(checkpoint.best_model_path).stat().st_mtime_ns
        if written != self.best_shown:
            self.best_shown, score = written, round(float(checkpoint.best_model_score), 5)
            PlatformAPI.save_artifact(checkpoint.best_model_path, "checkpoint", {"val_mAP": score})

    def _save_last(self, trainer: Trainer) -> None:
        last = self.artifacts / "checkpoints" / "last.ckpt"
        if last.is_file():
            PlatformAPI.save_artifact(last, "checkpoint", {"epoch": trainer.current_epoch})
