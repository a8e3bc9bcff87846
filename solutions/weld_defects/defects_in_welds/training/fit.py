"""One training: samples and a configuration in, the best checkpoint out. Knows no command line and no platform."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from defects_in_welds.data.samples import Sample
from defects_in_welds.data.weld_dataset import WeldDataset, make_loader
from defects_in_welds.model.detection_module import DetectionModule
from defects_in_welds.model.detector import WeldDetector
from defects_in_welds.training.history import HistoryWriter


@dataclass(frozen=True)
class Fitted:
    """What a training leaves: the best checkpoint, the history, the validation mAP of that checkpoint."""

    best_path: Path
    history_path: Path
    val_map: float


def fit(
    config: DictConfig,
    classes: list[str],
    samples: dict[str, Sequence[Sample]],
    outputs: Path,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    warn: Callable[[str], None] = print,
    is_progress_bar_shown: bool = False,
) -> Fitted:
    """Train on samples["train"], validate on samples["valid"]; write checkpoints/ and metrics/ under `outputs`.
    `warn` is told what the user must know, e.g. that no pretrained weights were found.

    Raises FileNotFoundError if train.resume names no file.
    """
    seed_everything(config.train.seed, workers=True, verbose=False)
    # A little precision of the matrix products for much speed on tensor cores; no effect elsewhere.
    torch.set_float32_matmul_precision("high")
    history = HistoryWriter(outputs / "metrics" / "history.json")
    best = _best_checkpoint(outputs / "checkpoints")
    all_callbacks = [*callbacks, history, best]
    if config.train.early_stopping_patience:
        all_callbacks.append(EarlyStopping("val_mAP", mode="max", patience=config.train.early_stopping_patience))
    if loggers:
        all_callbacks.append(LearningRateMonitor("step"))
    trainer = Trainer(
        **OmegaConf.to_container(config.trainer),
        max_epochs=config.train.epochs,
        accumulate_grad_batches=config.train.accumulate,
        callbacks=all_callbacks,
        logger=list(loggers) or False,
        log_every_n_steps=10,
        enable_progress_bar=is_progress_bar_shown,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=outputs,
    )
    settings = detector_settings(config)
    warnings: list[str] = []
    module = DetectionModule(WeldDetector(classes, settings, warnings), OmegaConf.to_container(config.train))
    for text in warnings:
        warn(text)
    data, train = config.data, config.train
    train_set = WeldDataset(samples["train"], data.flip_probability, data.colour_strength)
    train_loader = make_loader(train_set, train.batch_size, data.workers, is_shuffled=True)
    val_loader = make_loader(WeldDataset(samples["valid"]), train.batch_size, data.workers)
    trainer.fit(module, train_loader, val_loader, ckpt_path=_resume_path(train.resume))
    return Fitted(Path(best.best_model_path), history.path, float(best.best_model_score or 0.0))


def detector_settings(config: DictConfig) -> dict:
    """The part of the configuration that shapes the detector."""
    sizes = {"short_side": config.data.short_side, "long_side": config.data.long_side}
    return {**OmegaConf.to_container(config.model), **sizes}


def _best_checkpoint(folder: Path) -> ModelCheckpoint:
    # At the very end of an epoch: a checkpoint written after the validation, the default, resumes inside its epoch.
    return ModelCheckpoint(
        folder,
        "best_model",
        monitor="val_mAP",
        mode="max",
        save_last=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def _resume_path(given: str) -> Path | None:
    if not given:
        return None
    if not Path(given).is_file():
        raise FileNotFoundError(f"train.resume names {given!r}, which is not a file")
    return Path(given)
