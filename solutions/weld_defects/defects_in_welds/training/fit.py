"""One training: samples and a configuration in, the best checkpoint out. Knows no command line and no platform."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, WeightAveraging
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from defects_in_welds.data.augmentation import make_augmentation
from defects_in_welds.data.problems import chosen_language, text
from defects_in_welds.data.samples import Sample
from defects_in_welds.data.weld_dataset import EpochSampler, WeldDataset, make_loader
from defects_in_welds.model import detection_module
from defects_in_welds.model.anchor_shapes import fit_anchor_shapes
from defects_in_welds.model.detection_module import DetectionModule
from defects_in_welds.model.detector import Warnings, WeldDetector
from defects_in_welds.training.checkpoints import BestCheckpoint, LastCheckpoint
from defects_in_welds.training.history import HistoryWriter
from defects_in_welds.training.memory import is_out_of_memory, release, smaller_batch
from defects_in_welds.training.time_budget import TimeBudget

Samples = dict[str, Sequence[Sample]]


@dataclass(frozen=True)
class Fitted:
    """What a training leaves: the best checkpoint, the history, the validation mAP of that checkpoint."""

    best_path: Path
    history_path: Path
    val_map: float


def fit(
    config: DictConfig,
    classes: list[str],
    samples: Samples,
    outputs: Path,
    callbacks: Callable[[], Sequence[Callback]] = tuple,
    loggers: Sequence[Logger] = (),
    warn: Callable[[str], None] = print,
    say: Callable[[str], None] = print,
    is_progress_bar_shown: bool = False,
) -> Fitted:
    """Train on samples["train"], validate on samples["valid"]; write checkpoints/ and metrics/ under `outputs`.

    `callbacks` makes fresh ones for each attempt. `warn` is told what the user must know, e.g. that no pretrained
    weights were found, or that memory was short: then the batch is halved, as many images a step as before, and the
    training goes on after its last whole epoch. `say` is told how each epoch went. Raises FileNotFoundError if
    train.resume names no file, FloatingPointError if the loss does not come back from infinity.
    """
    language = chosen_language(config.data.language)
    batch_size, accumulate = config.train.batch_size, config.train.accumulate
    resume, last = _resume_path(config.train.resume), outputs / "checkpoints" / "last.ckpt"
    before, spent_s = _version(last), 0.0
    while True:
        attempt = _Attempt(config, classes, samples, outputs, batch_size, accumulate, spent_s)
        try:
            return attempt.run([*callbacks()], loggers, warn, say, is_progress_bar_shown, resume)
        except FloatingPointError as error:
            raise FloatingPointError(text("no_finite_steps", language, count=detection_module.MOST_LEFT_OUT)) from error
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if batch_size == 1:
                raise MemoryError(text("memory_gone", language)) from error
        spent_s = attempt.budget.used_s
        del attempt
        release()
        old, effective = batch_size, batch_size * accumulate
        batch_size, accumulate = smaller_batch(batch_size, accumulate)
        # A checkpoint left by an earlier training in this folder is none of ours.
        if _version(last) != before:
            resume = last
        where = text("from_epoch", language, epoch=_epochs_in(resume)) if resume else text("from_start", language)
        holes = {"old": old, "new": batch_size, "accumulate": accumulate, "effective": effective, "where": where}
        warn(text("memory_short", language, **holes))


class _Attempt:
    """A training with one batch size, up to its end or to an error."""

    def __init__(
        self,
        config: DictConfig,
        classes: list[str],
        samples: Samples,
        outputs: Path,
        batch_size: int,
        accumulate: int,
        spent_s: float = 0.0,
    ) -> None:
        self.config, self.classes, self.samples, self.outputs = config, classes, samples, outputs
        self.batch_size, self.accumulate = batch_size, accumulate
        self.budget = TimeBudget(config.train.max_minutes, spent_s)

    def run(
        self,
        callbacks: list[Callback],
        loggers: Sequence[Logger],
        warn: Callable[[str], None],
        say: Callable[[str], None],
        is_progress_bar_shown: bool,
        resume: Path | None,
    ) -> Fitted:
        """See fit."""
        config, outputs = self.config, self.outputs
        seed_everything(config.train.seed, workers=True, verbose=False)
        # A little precision of the matrix products for much speed on tensor cores; no effect elsewhere.
        torch.set_float32_matmul_precision("high")
        language = chosen_language(config.data.language)
        history = HistoryWriter(outputs / "metrics" / "history.json", say, language)
        folder = outputs / "checkpoints"
        best, budget = BestCheckpoint(folder, resume), self.budget
        trainer = Trainer(
            **{**OmegaConf.to_container(config.trainer), "precision": chosen_precision(config.trainer)},
            max_epochs=config.train.epochs,
            accumulate_grad_batches=self.accumulate,
            callbacks=[*callbacks, history, budget, *_optional(config, bool(loggers)), best, LastCheckpoint(folder)],
            logger=list(loggers) or False,
            log_every_n_steps=10,
            enable_progress_bar=is_progress_bar_shown,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=outputs,
        )
        warnings: Warnings = []
        detector = WeldDetector(self.classes, detector_settings(config, self.samples["train"]), warnings)
        for code, holes in warnings:
            warn(text(code, language, **holes))
        module = DetectionModule(detector, OmegaConf.to_container(config.train), lambda: budget.share)
        trainer.fit(
            module, self._train_loader(trainer, resume), self._val_loader(), ckpt_path=resume, weights_only=True
        )
        if left_out := sum(one.get("left_out_steps", 0) for one in history.epochs):
            warn(text("steps_left_out", language, count=int(left_out)))
        return Fitted(Path(best.best_model_path), history.path, float(best.best_model_score or 0.0))

    def _train_loader(self, trainer: Trainer, resume: Path | None) -> torch.utils.data.DataLoader:
        data, train = self.config.data, self.config.train
        augment = make_augmentation(self.config.augment)
        dataset = WeldDataset(self.samples["train"], (data.short_side, data.long_side), augment, train.seed)
        step = self.batch_size * self.accumulate
        is_portrait = [sample.size[1] > sample.size[0] for sample in dataset.samples]
        # Workers take the order of the first epoch before Lightning has read the checkpoint.
        first = _epochs_in(resume) if resume else 0

        def epoch() -> int:
            return max(first, trainer.fit_loop.epoch_progress.current.processed)

        sampler = EpochSampler(len(dataset), step, train.seed, epoch, is_portrait, self.batch_size)
        return make_loader(dataset, self.batch_size, data.workers, sampler)

    def _val_loader(self) -> torch.utils.data.DataLoader:
        data = self.config.data
        dataset = WeldDataset(self.samples["valid"], (data.short_side, data.long_side))
        return make_loader(dataset, self.batch_size, data.workers)


class EpochSeed(Callback):
    """Draws of an epoch (which proposals are learned from) depend on seed and epoch alone, resumed or not."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Start the epoch's random numbers, after the loader: it draws some, how many depends on its workers."""
        if batch_idx == 0:
            torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)


def detector_settings(config: DictConfig, train_samples: Sequence[Sample] = ()) -> dict:
    """The part of the configuration that shapes the detector, with the shapes of its anchors if they are fitted."""
    sizes = {"short_side": config.data.short_side, "long_side": config.data.long_side}
    settings = {**OmegaConf.to_container(config.model), **sizes, "anchor_shapes": None}
    if settings["anchors"] == "fitted":
        settings["anchor_shapes"] = fit_anchor_shapes(train_samples, settings["short_side"], settings["long_side"])
    elif settings["anchors"] != "fixed":
        raise ValueError(f"model.anchors is {settings['anchors']!r}; known are fixed, fitted")
    return settings


def _optional(config: DictConfig, has_loggers: bool) -> list[Callback]:
    chosen: list[Callback] = [EpochSeed(config.train.seed)]
    if config.train.ema_decay:
        chosen.append(WeightAveraging(avg_fn=running_mean(config.train.ema_decay)))
    if config.train.early_stopping_patience:
        chosen.append(EarlyStopping("val_mAP", mode="max", patience=config.train.early_stopping_patience))
    if has_loggers:
        chosen.append(LearningRateMonitor("step"))
    return chosen


def chosen_precision(trainer: DictConfig) -> str:
    """trainer.precision; for `auto` bf16-mixed where the device computes bfloat16 by itself, else 32-true."""
    if trainer.precision != "auto":
        return trainer.precision
    if trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known = torch.cpu.get_capabilities()
        is_native = bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return "bf16-mixed" if is_native else "32-true"


def running_mean(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The mean of AveragedModel: of few weights at first, so that a short training is not held back by its start."""

    def mean(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        return averaged * kept + current * (1 - kept)

    return mean


def _resume_path(given: str) -> Path | None:
    if not given:
        return None
    if not Path(given).is_file():
        raise FileNotFoundError(f"train.resume names {given!r}, which is not a file")
    return Path(given)


def _version(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.is_file() else None


def _epochs_in(checkpoint: Path) -> int:
    """How many epochs a checkpoint has behind it."""
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["epoch"]) + 1
