"""What a run reported, as pages read it: messages, metrics, results, files, logs. Graphs: series_service."""

from collections.abc import Iterator

from backend.contracts.reports import MESSAGE_LEVELS, Artifact, Message, MessageLevel, Metric, ResultPage
from backend.contracts.runs import FINAL_STATES
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.result_store import ResultStore
from backend.stores.mongo.run_message_store import RunMessageStore
from backend.stores.mongo.run_metric_store import RunMetricStore
from backend.stores.mongo.run_store import RunStore
from backend.stores.object_store import ObjectStore


class RunRecordService:
    """Every method raises NotFoundError for an unknown run."""

    def __init__(
        self,
        runs: RunStore,
        messages: RunMessageStore,
        metrics: RunMetricStore,
        results: ResultStore,
        artifacts: ArtifactStore,
        objects: ObjectStore,
    ) -> None:
        self._runs = runs
        self._messages = messages
        self._metrics = metrics
        self._results = results
        self._artifacts = artifacts
        self._objects = objects

    def messages(self, run_id: str, level: MessageLevel | None, limit: int) -> list[Message]:
        """The newest `limit` messages, oldest first."""
        self._runs.check(run_id)
        return self._messages.newest(run_id, MESSAGE_LEVELS if level is None else (level,), limit)

    def metrics(self, run_id: str) -> list[Metric]:
        """Test metrics in the order in which they first appeared."""
        self._runs.check(run_id)
        return self._metrics.metrics(run_id)

    def results(self, run_id: str, class_name: str | None, offset: int, limit: int) -> ResultPage:
        """Results ordered by image name."""
        self._runs.check(run_id)
        return self._results.page(run_id, class_name, offset, limit)

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Files ordered by path."""
        self._runs.check(run_id)
        return self._artifacts.artifacts(run_id)

    def log(self, run_id: str, stream: str, tail_bytes: int | None = None) -> tuple[int, Iterator[bytes]]:
        """`stdout` or `stderr` and its length in bytes: whole, or its end, when the run is final and its log was handed
        over, else the last text that its agent sent.
        """
        if self._runs.get(run_id).state in FINAL_STATES:
            artifact = self._artifacts.find(run_id, f"{stream}.log")
            if artifact is not None and artifact.kind == "log":
                start = 0 if tail_bytes is None else max(0, artifact.size_bytes - tail_bytes)
                return artifact.size_bytes, self._objects.stream(artifact.sha256, start)
        text = self._runs.tail(run_id, stream).encode()
        return len(text), iter([text if tail_bytes is None else text[-tail_bytes:]])
