"""The command line: python -m defects_in_welds.training.run_training train.batch_size=8 trainer.precision=16-mixed"""

import sys
from functools import partial
from pathlib import Path

import hydra
from omegaconf import DictConfig

from defects_in_welds.training.quiet_libraries import silence

silence()

from defects_in_welds.data.prepare import load_or_prepare  # noqa: E402
from defects_in_welds.data.problems import DataError, chosen_language, text  # noqa: E402
from defects_in_welds.export.onnx_file import ParityError  # noqa: E402
from defects_in_welds.export.weights import write_weights  # noqa: E402
from defects_in_welds.settings_check import SettingError, check_settings  # noqa: E402
from defects_in_welds.training.experiment_loggers import log_model, log_outputs, make_loggers  # noqa: E402
from defects_in_welds.training.fit import Fitted, fit  # noqa: E402

ROOT = Path(__file__).parents[2]


def train_from_folder(config: DictConfig, root: Path = ROOT) -> Fitted:
    """Train on the YOLO folder config.data.folder; prepared/, checkpoints/, metrics/, export/ and logs go under `root`.

    Raises MissingDataError (a FileNotFoundError) with the advice to `dvc pull` if the data is not there, DataError with
    every fault if it is wrong.
    """
    classes, samples = load_or_prepare(config, root)
    print(f"train {len(samples['train'])}, valid {len(samples['valid'])} images, classes: {', '.join(classes)}")
    loggers = make_loggers(config, root)
    # Flushed: who looks into the file that this goes to wants to see the last epoch.
    say, is_terminal = partial(print, flush=True), sys.stderr.isatty()
    fitted = fit(config, classes, samples, root, loggers=loggers, say=say, is_progress_bar_shown=is_terminal)
    log_outputs(loggers, fitted.best_path, fitted.history_path)
    try:
        parity = write_weights(fitted.best_path, root / "export", samples["valid"], config.export.onnx)
    except ParityError as error:
        # The training of an hour is not lost for it: checkpoints and .pth are there.
        print(text("onnx_differs", chosen_language(config.data.language), detail=error), file=sys.stderr)
        parity = {}
    if parity:
        log_model(loggers, root / "export" / "weld_defects.onnx", parity)
        print(f"ONNX equals PyTorch: {parity}")
    print(f"best val_mAP {fitted.val_map:.4f}: {fitted.best_path}")
    return fitted


@hydra.main(version_base=None, config_path=str(ROOT / "configs"), config_name="params")
def main(config: DictConfig) -> None:
    """Read configs/params.yaml with the overrides of the command line and train."""
    try:
        check_settings(config)
        train_from_folder(config)
    except (DataError, SettingError, FileNotFoundError) as error:
        # The list of faults, or the file that is missing, is the message: a traceback above it would only hide it.
        print(f"{'FileNotFoundError: ' if isinstance(error, FileNotFoundError) else ''}{error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
