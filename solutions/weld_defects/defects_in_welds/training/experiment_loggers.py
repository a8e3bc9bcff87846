"""MLflow and TensorBoard, both optional. The workstation turns them off: it records runs itself."""

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf


def make_loggers(config: DictConfig, root: Path) -> list[Logger]:
    """The loggers that config.logging asks for, hyper-parameters already logged. Files go under `root`."""
    loggers: list[Logger] = []
    if config.logging.mlflow:
        loggers.append(_mlflow_logger(config, root))
    if config.logging.tensorboard:
        loggers.append(TensorBoardLogger(str(root), name="logs", default_hp_metric=False))
    parameters: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    for logger in loggers:
        logger.log_hyperparams(parameters)
    return loggers


def _mlflow_logger(config: DictConfig, root: Path) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    uri = str(config.logging.mlflow_uri)
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        uri = f"sqlite:///{root / uri.removeprefix('sqlite:///')}"
    return MLFlowLogger(
        experiment_name=config.logging.experiment, tracking_uri=uri, artifact_location=(root / "mlartifacts").as_uri()
    )


def log_outputs(loggers: list[Logger], best: Path, history: Path) -> None:
    """Put the best checkpoint (under models/) and the history into the MLflow run, TensorBoard's files beside them."""
    mlflow = next((one for one in loggers if type(one).__name__ == "MLFlowLogger"), None)
    if mlflow is None:
        return
    mlflow.experiment.log_artifact(mlflow.run_id, str(best), "models")
    mlflow.experiment.log_artifact(mlflow.run_id, str(history), "metrics")
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.finalize("success")
            mlflow.experiment.log_artifacts(mlflow.run_id, logger.log_dir, "tensorboard")
