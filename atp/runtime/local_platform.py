"""Stands in for PlatformAPI in dry runs and where it is not installed: console and a JSONL file."""

import importlib
import importlib.util
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from atp.messages import terminal_language
from atp.resolution.library import Library, Substitution

_log = logging.getLogger("atp.platform")
_file: Path | None = None


def use_local_platform(library: Library, out: str, is_forced: bool) -> None:
    """`#PlatformAPI.*` names this module's functions if that is asked for or PlatformAPI is not installed."""
    global _file
    is_wanted = is_forced or importlib.util.find_spec("PlatformAPI") is None
    substitution = Substitution("PlatformAPI", __name__)
    if is_wanted != (substitution in library.substitutions):
        library.substitutions = [substitution] if is_wanted else []
        library.forget()
    _file = Path(out) / "platform.jsonl" if is_wanted else None


def current_platform() -> Any:
    """What templates report to: this module in a dry run, PlatformAPI else."""
    return importlib.import_module(__name__ if _file is not None else "PlatformAPI")


def __getattr__(name: str) -> Any:
    """Inputs of a run (samples, classes, weights) are the same in a dry run; only what is reported stays here."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(importlib.import_module("PlatformAPI"), name)


def get_language() -> str:
    """The language of messages: the run's, or the terminal's outside of one."""
    if not os.environ.get("ARM_RUN_DIR"):
        return terminal_language()
    return str(importlib.import_module("PlatformAPI").get_language())


def _write(kind: str, **fields: Any) -> None:
    if _file is not None:
        _file.parent.mkdir(parents=True, exist_ok=True)
        with _file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "time": time.time(), **fields}, default=str) + "\n")
    _log.info("%s %s", kind, fields)


def save_progress_for_platform(progress: float) -> None:
    """Progress in percent."""
    _write("progress", value=float(progress))


class LocalLogger:
    """Messages."""

    def info(self, message: Any) -> None:
        """A message."""
        _write("message", level="info", text=str(message))

    def warning(self, message: Any) -> None:
        """A warning."""
        _write("message", level="warning", text=str(message))

    def error(self, message: Any) -> None:
        """An error."""
        _write("message", level="error", text=str(message))


def get_logger() -> LocalLogger:
    """The logger of messages."""
    return LocalLogger()


class LocalGraphs:
    """Points of training graphs."""

    def log_point(self, name: str, value: float, epoch: int, iter: int, info: Any = None) -> None:  # noqa: A002
        """One point."""
        _write("point", name=name, value=_number(value), epoch=int(epoch), iter=int(iter), info=info)


def get_train_graph_logger() -> LocalGraphs:
    """The logger of training graphs."""
    return LocalGraphs()


class LocalMetrics:
    """Metrics of a test, as they are given."""

    def log(self, *metrics: Any) -> None:
        """Any metrics."""
        for metric in metrics:
            _write("test_metric", name=getattr(metric, "name", ""), data=getattr(metric, "data", str(metric)))

    def log_table(self, name: str, *args: Any, **kwargs: Any) -> None:
        """A table."""
        _write("test_metric", shape="table", name=name, args=args, **kwargs)

    log_matrix = log_confusion_matrix = log_histogram = log_table


def get_test_metrics_logger() -> LocalMetrics:
    """The logger of test metrics."""
    return LocalMetrics()


def get_markup_dict_for_images(json: Any, description: str) -> Any:
    """Results of images."""
    _write("result", markup=json, description=description)
    return json


def save_artifact(path: Any, kind: str, info: Any = None) -> Any:
    """A file that was written."""
    _write("artifact", path=str(path), file_kind=kind, info=info)
    return path


class TorchPklSaver:
    """Weights, beside the other output of the dry run."""

    @staticmethod
    def _save(model: Any, fpath: str, input_example: Any = None) -> None:
        import torch

        assert _file is not None
        path = _file.parent / Path(fpath).with_suffix(".pth").name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)
        _write("artifact", path=str(path), file_kind="pytorch")


def _number(value: Any) -> float:
    return float(value.detach() if hasattr(value, "detach") else value)
