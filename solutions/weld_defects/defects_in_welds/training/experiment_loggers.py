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
    mlflow = _mlflow_among(loggers)
    if mlflow is None:
        return
    mlflow.experiment.log_artifact(mlflow.run_id, str(best), "models")
    mlflow.experiment.log_artifact(mlflow.run_id, str(history), "metrics")
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.finalize("success")
            mlflow.experiment.log_artifacts(mlflow.run_id, logger.log_dir, "tensorboard")


def log_model(loggers: list[Logger], path: Path, parity: dict[str, Any]) -> None:
    """Put the ONNX file into the MLflow run as a model with its signature, as `mlflow models serve` takes it."""
    logger = _mlflow_among(loggers)
    if logger is None:
        return
    import mlflow
    import numpy as np
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("float32"), (3, -1, -1), "image")]),
        Schema(
            [
                TensorSpec(np.dtype("float32"), (-1, 4), "boxes"),
                TensorSpec(np.dtype("int64"), (-1,), "labels"),
                TensorSpec(np.dtype("float32"), (-1,), "scores"),
            ]
        ),
    )
    mlflow.set_tracking_uri(logger.experiment.tracking_uri)
    # The run was ended with the training; it is taken up again for this one entry.
    with mlflow.start_run(run_id=logger.run_id):
        mlflow.log_metrics({f"onnx_{name}": float(value) for name, value in parity.items()})
        # Named requirements: MLflow would otherwise load the model in a new process to guess them.
        mlflow.onnx.log_model(
            onnx.load(path), name="weld_defects", signature=signature, pip_requirements=["onnx", "onnxruntime", "numpy"]
        )
        mlflow.log_artifact(str(path), "models")


def _mlflow_among(loggers: list[Logger]) -> Any:
    return next((one for one in loggers if type(one).__name__ == "MLFlowLogger"), None)
