"""What agents ask and tell: the inputs of their run, that it lives, what it produced, how it ended."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.contracts.base import Reason
from backend.contracts.datasets import Split
from backend.contracts.reports import Artifact, MessageLevel
from backend.contracts.runs import FINAL_STATES
from backend.contracts.workers import AgentReply, Heartbeat, RunFinished, RunSpec, RunStarted, SampleManifest
from backend.domain import run_lifecycle
from backend.domain.archive_rules import safe_path
from backend.domain.errors import InvalidInputError, NotAllowedError
from backend.services.own_messages import OwnMessages
from backend.services.run_reports import RunReports
from backend.services.run_samples import RunSamples
from backend.services.worker_service import token_hash
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.run_store import END_TAIL_CHARS, RunStore
from backend.stores.object_store import ObjectStore, hash_file

LIVE_TAIL_CHARS = 64 << 10
ARTIFACT_KINDS = frozenset({"pytorch", "onnx", "checkpoint", "file", "log"})


class AgentService:
    """Everything that a run's own token opens."""

    def __init__(
        self,
        runs: RunStore,
        samples: RunSamples,
        reports: RunReports,
        artifacts: ArtifactStore,
        objects: ObjectStore,
        own_messages: OwnMessages,
        now: Callable[[], datetime],
    ) -> None:
        self._runs = runs
        self._samples = samples
        self._reports = reports
        self._artifacts = artifacts
        self._objects = objects
        self._own_messages = own_messages
        self._now = now

    def is_run_token(self, run_id: str, token: str) -> bool:
        """Whether this token opens this run."""
        return bool(token) and self._runs.has_token(run_id, token_hash(token))

    def project_of(self, run_id: str) -> str:
        """The project whose data this run may use. Raises NotAllowedError('run_not_active') once the run has ended."""
        project_id = self._runs.project_of_active(run_id)
        if project_id is None:
            raise NotAllowedError("run_not_active", run=run_id[:80])
        return project_id

    def is_object_of_run(self, token: str, sha256: str) -> bool:
        """Whether the run that this token opens is active and names the object."""
        run_id = self._runs.run_of_token(token_hash(token))
        return run_id is not None and self._samples.has_object(run_id, sha256)

    def spec(self, run_id: str) -> RunSpec:
        """Everything that is needed to prepare the run folder."""
        inputs = self._runs.inputs(run_id)
        return RunSpec(
            run=self._runs.get(run_id),
            code=inputs.code,
            weights={weights.path: weights.sha256 for weights in inputs.weights},
            classes=inputs.classes,
        )

    def sample(self, run_id: str, role: Split) -> SampleManifest:
        """The elements that play one role. Raises NotFoundError."""
        return SampleManifest(role=role, entries=tuple(self._samples.entries(run_id, role)))

    def started(self, run_id: str, report: RunStarted) -> AgentReply:
        """The script's process exists. Raises ConflictError when the run is not about to start."""
        now = self._now()
        changes = {"started_at": now, "heartbeat_at": now, "isolation": report.isolation, "has_agent": True}
        if report.process_started_at is not None:
            changes["process_started_at"] = report.process_started_at
        if self._runs.move(run_id, "running", changes) is None:
            run = self._runs.get(run_id)
            if run.state != "running":  # Running already: the answer to the first report was lost.
                raise run_lifecycle.refusal(run_id, run.state, "running")
        return self._reply(run_id)

    def heartbeat(self, run_id: str, report: Heartbeat) -> AgentReply:
        """Renew the lease. The agent of a run that is final already is told to stop."""
        tails = {"stderr_tail": report.stderr_tail, "stdout_tail": report.stdout_tail}
        changed = {name: text[-LIVE_TAIL_CHARS:] for name, text in tails.items() if text is not None}
        is_stop_requested = self._runs.set_heartbeat(run_id, self._now(), changed)
        for note in report.notes:
            level: MessageLevel = "info" if note.code == "agent_replaced" else "warning"
            self._own_messages.post(run_id, note.code, level, Reason(code=note.code, params=dict(note.params)))
        return AgentReply(is_stop_requested=is_stop_requested is None or is_stop_requested)

    def finished(self, run_id: str, report: RunFinished) -> AgentReply:
        """The script's process is gone. Raises ConflictError when the run ended otherwise before."""
        if report.state not in FINAL_STATES:
            raise InvalidInputError("state_not_final", state=report.state)
        changes: dict[str, Any] = {
            "reason": report.reason.model_dump(),
            "exit_code": report.exit_code,
            "finished_at": self._now(),
            # The whole files are there by now: what stays in the run's document is for the case that they could not be.
            "stdout_tail": self._runs.tail(run_id, "stdout")[-END_TAIL_CHARS:],
            "stderr_tail": (report.stderr_tail or self._runs.tail(run_id, "stderr"))[-END_TAIL_CHARS:],
        }
        if self._runs.get(run_id).state not in FINAL_STATES:
            self._reports.warn(run_id, report.warnings)
        if self._runs.move(run_id, report.state, changes) is None:
            run = self._runs.get(run_id)
            if run.state == "lost":
                # A run is given up once and for all, but what it left is worth having, and worth saying.
                self._own_messages.post(run_id, "data_recovered", "info", Reason(code="data_recovered"))
            if run.state != report.state:
                raise run_lifecycle.refusal(run_id, run.state, report.state)
        self._reports.close(run_id)
        return AgentReply(is_stop_requested=True)

    def events(self, run_id: str, file: str, offset: int, content: bytes) -> AgentReply:
        """Store a batch of event lines exactly once; raises as RunReports.take does."""
        return self._reply(run_id, self._reports.take(run_id, file, offset, content))

    def skip_line(self, run_id: str, file: str, offset: int, skipped_bytes: int) -> AgentReply:
        """Leave out an event line that is too long; raises as RunReports.skip does."""
        return self._reply(run_id, self._reports.skip(run_id, file, offset, skipped_bytes))

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Files that have arrived, ordered by path."""
        return self._artifacts.artifacts(run_id)

    def artifact(
        self, run_id: str, path: str, kind: str, sha256: str, info: dict[str, Any], received: Path
    ) -> Artifact:
        """Keep a file if its bytes have the promised hash. Raises InvalidInputError otherwise, keeping nothing."""
        if kind not in ARTIFACT_KINDS:
            raise InvalidInputError("artifact_kind_unknown", kind=kind[:80], known=", ".join(sorted(ARTIFACT_KINDS)))
        path = safe_path(path)
        actual = hash_file(received)
        if actual != sha256:
            raise InvalidInputError("artifact_hash_differs", path=path, expected=sha256[:80], actual=actual)
        self._objects.put_file(received)
        size_bytes = received.stat().st_size
        artifact = Artifact(
            path=path, kind=kind, sha256=sha256, size_bytes=size_bytes, created_at=self._now(), info=info
        )
        self._artifacts.put(run_id, artifact)
        return artifact

    def _reply(self, run_id: str, accepted: int = 0) -> AgentReply:
        return AgentReply(is_stop_requested=self._runs.is_stop_requested(run_id), accepted=accepted)
