"""best_model.ckpt and last.ckpt of a training, each at the very end of an epoch."""

import shutil
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

# At the very end of an epoch: a checkpoint written after the validation, the default, resumes inside its epoch.
COMMON = {"save_on_train_epoch_end": True, "enable_version_counter": False}


class BestCheckpoint(ModelCheckpoint):
    """best_model.ckpt: highest val_mAP, those of a training that is resumed from another folder included.

    As long as nothing at all is found, or there is no box to be found, the newest is the best.
    """

    def __init__(self, folder: Path, resume: Path | None = None) -> None:
        super().__init__(folder, filename="best_model", monitor="val_mAP", mode="max", **COMMON)
        self.resume = resume

    def check_monitor_top_k(self, trainer: Trainer, current: Tensor | None = None) -> bool:
        """Is `current` the best so far?"""
        if current is not None and current == 0 and self.best_model_score == 0:
            return True
        return super().check_monitor_top_k(trainer, current)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning forgets the best score if the folder is another one, so a worse epoch would become the best."""
        stored, own = Path(state_dict["best_model_path"]), Path(str(self.dirpath)) / "best_model.ckpt"
        # The folder of the earlier training may have been moved: its best one lies beside its last one.
        beside = [self.resume.parent / stored.name] if self.resume else []
        score = state_dict["best_model_score"]
        found = next((path for path in (stored, *beside) if stored.name and _has_score(path, score)), None)
        if found is None:
            return  # only the last checkpoint was brought here: the best one is that of the epochs from here on
        if found.resolve() != own.resolve():
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, own)
        self.best_model_path = self.kth_best_model_path = str(own)
        self.best_model_score = self.kth_value = score
        self.best_k_models = {str(own): score}


class LastCheckpoint(ModelCheckpoint):
    """last.ckpt after each epoch: Lightning's own `save_last` writes it with a new best only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, filename="last", **COMMON)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """It needs no past; Lightning would warn that the folder is another one."""


def _has_score(path: Path, score: Tensor | None) -> bool:
    """Is `path` the best checkpoint with this score? In that folder another training may have begun since."""
    if score is None or not path.is_file():
        return False
    callbacks = torch.load(path, map_location="cpu", weights_only=True)["callbacks"]
    return any(one.get("best_model_score") == score for name, one in callbacks.items() if "val_mAP" in name)
