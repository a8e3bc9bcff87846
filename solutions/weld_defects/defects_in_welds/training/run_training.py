"""The command line: python -m defects_in_welds.training.run_training train.batch_size=8 trainer.precision=16-mixed"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from defects_in_welds.training.quiet_libraries import silence

silence()

from defects_in_welds.data.samples import read_yolo_classes, read_yolo_split  # noqa: E402
from defects_in_welds.training.experiment_loggers import log_outputs, make_loggers  # noqa: E402
from defects_in_welds.training.fit import Fitted, fit  # noqa: E402

ROOT = Path(__file__).parents[2]


def train_from_folder(config: DictConfig, root: Path = ROOT) -> Fitted:
    """Train on the YOLO folder config.data.folder; checkpoints/, metrics/ and logs go under `root`.

    Raises FileNotFoundError with the advice to `dvc pull` if the data is not there.
    """
    folder = root / config.data.folder
    classes = read_yolo_classes(folder)
    samples = {split: read_yolo_split(folder, split, len(classes)) for split in ("train", "valid")}
    print(f"train {len(samples['train'])}, valid {len(samples['valid'])} images, classes: {', '.join(classes)}")
    loggers = make_loggers(config, root)
    fitted = fit(config, classes, samples, root, loggers=loggers, is_progress_bar_shown=True)
    log_outputs(loggers, fitted.best_path, fitted.history_path)
    print(f"best val_mAP {fitted.val_map:.4f}: {fitted.best_path}")
    return fitted


@hydra.main(version_base=None, config_path=str(ROOT / "configs"), config_name="params")
def main(config: DictConfig) -> None:
    """Read configs/params.yaml with the overrides of the command line and train."""
    train_from_folder(config)


if __name__ == "__main__":
    main()
