"""Logger: what a training reports, to the workstation or, alone, to the console; Record: in MLflow beside it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from atp.messages import sentence
from atp.registry import register
from atp.runtime.local_platform import current_platform


@register("Logger", inputs={"values": dict, "epoch": int, "step": int})
class Logger:
    """`"@log": [{loss: $loss}, $epoch, $step]` draws a point of each graph; also progress, messages, weights, results.

    Args:
        every: points of steps between are left out, because reading a loss makes a GPU wait
    """

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self._platform = current_platform()
        self._graphs = self._platform.get_train_graph_logger()
        self._messages = self._platform.get_logger()
        self._language = self._platform.get_language()

    def __call__(self, values: Mapping[str, Any], epoch: int, step: int) -> None:
        """A point of each graph."""
        if step % self.every == 0:
            for name, value in values.items():
                self._graphs.log_point(name, value, epoch, step)

    def values(self, values: Mapping[str, Any], epoch: int) -> None:
        """Figures of an epoch: a point of each graph and one message."""
        for name, value in values.items():
            self._graphs.log_point(name, value, epoch, epoch)
        figures = ", ".join(f"{name} {float(value):.4f}" for name, value in values.items())
        self._messages.info(sentence("run.epoch", {"epoch": epoch + 1, "figures": figures}, self._language))

    def progress(self, done: float, total: float) -> None:
        """Progress as a part of a whole."""
        self._platform.save_progress_for_platform(100.0 * min(1.0, done / total))

    def info(self, message: str, *values: Any) -> None:
        """A message; `%s` in it stand for the values."""
        self._messages.info(message % values if values else message)

    def warning(self, message: str, *values: Any) -> None:
        """A warning, as `info`."""
        self._messages.warning(message % values if values else message)

    def weights(self, model: nn.Module, name: str) -> None:
        """Save the weights of a network as an artifact of the run."""
        self._platform.TorchPklSaver._save(model, name)

    def found(self, image: str, answer: Mapping[str, Any], classes: Sequence[str]) -> None:
        """The boxes found in an image as its result: answer {boxes, labels, scores}, labels from 0."""
        rows = zip(answer["boxes"].tolist(), answer["labels"].tolist(), answer["scores"].tolist(), strict=True)
        annotation = [
            {
                "description": "ObjectDetection",
                "class": classes[label],
                "confidence": round(score, 3),
                "shape": {"type": "rectangle", "exterior": [[x1, y1], [x2, y2]], "interior": []},
            }
            for (x1, y1, x2, y2), label, score in rows
        ]
        markup = {"version": 1, "image": {"representation": "", "value": ""}, "annotation": annotation}
        self._platform.get_markup_dict_for_images({image: markup}, "ObjectDetection")


@register("Record", inputs={"values": dict, "step": int})
class Record:
    """The same in MLflow: `with: {"@record.run": }` around a stage, `{"@record": [{loss: $loss}, $step]}` in it.

    Args:
        uri: address of MLflow, or sqlite:///file; empty records nothing
        experiment: what runs are gathered under
        params: name → value, shown with the run
    """

    def __init__(self, uri: str = "", experiment: str = "atp", params: Mapping[str, Any] | None = None) -> None:
        self._uri, self._experiment, self._params = uri, experiment, dict(params or {})
        self._client: Any = None
        self._run_id = ""

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """A run of MLflow, ended as finished or failed with what is inside."""
        if not self._uri:
            yield
            return
        from mlflow import MlflowClient

        self._client = MlflowClient(self._uri)
        known = self._client.get_experiment_by_name(self._experiment)
        experiment = known.experiment_id if known else self._client.create_experiment(self._experiment)
        self._run_id = self._client.create_run(experiment).info.run_id
        for name, value in self._params.items():
            self._client.log_param(self._run_id, name, value)
        state = "FAILED"
        try:
            yield
            state = "FINISHED"
        finally:
            self._client.set_terminated(self._run_id, state)
            self._client = None

    def __call__(self, values: Mapping[str, Any], step: int) -> None:
        """A point of each figure."""
        if self._client is not None:
            for name, value in values.items():
                self._client.log_metric(self._run_id, name, float(value), step=step)
