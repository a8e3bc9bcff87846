"""Intake of what scripts report: every piece of an event file is stored exactly once."""

from collections.abc import Sequence
from datetime import UTC, datetime

from backend.contracts.base import Reason
from backend.domain.errors import ConflictError, InvalidInputError
from backend.domain.event_lines import MAX_LINE_BYTES, BadLine, EventBatch, read_events
from backend.services.own_messages import OwnMessages
from backend.services.point_sealing import PointSealing
from backend.services.run_samples import RunSamples
from backend.stores.mongo.result_store import ResultStore
from backend.stores.mongo.run_cursor_store import Cursor, RunCursorStore
from backend.stores.mongo.run_message_store import RunMessageStore
from backend.stores.mongo.run_metric_store import RunMetricStore
from backend.stores.mongo.run_point_store import RunPointStore
from backend.stores.mongo.run_store import RunStore


class RunReports:
    """Takes batches of whole lines, each named by its run, file and offset."""

    def __init__(
        self,
        runs: RunStore,
        cursors: RunCursorStore,
        points: RunPointStore,
        messages: RunMessageStore,
        metrics: RunMetricStore,
        results: ResultStore,
        samples: RunSamples,
        own_messages: OwnMessages,
        sealing: PointSealing,
    ) -> None:
        self._runs = runs
        self._cursors = cursors
        self._points = points
        self._messages = messages
        self._metrics = metrics
        self._results = results
        self._samples = samples
        self._own_messages = own_messages
        self._sealing = sealing

    def take(self, run_id: str, file: str, offset: int, content: bytes) -> int:
        """Store a batch; the answer is the offset up to which the file is stored now.

        A batch that was stored before is answered and dropped. Raises ConflictError('batch_out_of_order') carrying
        `accepted` when an earlier piece is missing, and InvalidInputError when it does not end with a whole line.
        """
        if not content.endswith(b"\n"):
            raise InvalidInputError("batch_torn", file=file)
        cursor = self._cursors.claim(run_id, file, offset, offset + len(content))
        if offset < cursor.accepted:
            return cursor.accepted
        if offset > cursor.accepted or cursor.pending > offset + len(content):
            # The second case: somebody began to store a longer piece from here, which must come again as a whole.
            raise ConflictError("batch_out_of_order", file=file, offset=offset, accepted=cursor.accepted)
        # A first attempt may have been shorter: exactly its piece is stored, the rest will come next.
        return self._store(run_id, file, offset, content[: cursor.pending - offset], cursor)

    def skip(self, run_id: str, file: str, offset: int, skipped_bytes: int) -> int:
        """Leave out a line that is too long to be sent, and say so; raises and answers as `take` does."""
        end = offset + skipped_bytes
        cursor = self._cursors.claim(run_id, file, offset, end)
        if offset < cursor.accepted:
            return cursor.accepted
        if offset > cursor.accepted or cursor.pending != end:
            raise ConflictError("batch_out_of_order", file=file, offset=offset, accepted=cursor.accepted)
        detail = f"{skipped_bytes / (1 << 20):.1f} MiB in one line, the limit is {MAX_LINE_BYTES >> 20} MiB"
        self._report_malformed(run_id, file, EventBatch(malformed_count=1, first_malformed=BadLine(1, detail)), cursor)
        return self._cursors.advance(run_id, file, offset, end, {"malformed": 1})

    def warn(self, run_id: str, warnings: Sequence[Reason]) -> None:
        """Put the agent's own warnings among the messages of the run; repeating them changes nothing."""
        for number, warning in enumerate(warnings):
            self._own_messages.post(run_id, f"warning:{number}", "warning", warning)

    def _store(self, run_id: str, file: str, offset: int, content: bytes, cursor: Cursor) -> int:
        batch = read_events(content)
        self._points.put(run_id, file, offset, batch.points)
        self._messages.put(run_id, file, offset, batch.messages)
        self._metrics.put(run_id, batch.metrics.values())
        self._results.put(run_id, [(r, self._samples.find(run_id, r.image)) for r in batch.results.values()])
        if batch.progress is not None:
            self._runs.set_progress(run_id, *batch.progress)
        if batch.sdk_ready_at is not None:
            self._runs.set_first_line(run_id, datetime.fromtimestamp(batch.sdk_ready_at, UTC))
        counts = _counts(batch)
        if batch.malformed_count:
            self._report_malformed(run_id, file, batch, cursor)
        accepted = self._cursors.advance(run_id, file, offset, offset + len(content), counts)
        self._sealing.after_batch(run_id, file, offset + len(content), cursor, batch.point_count)
        return accepted

    def close(self, run_id: str) -> None:
        """The run is over: no more batches are expected."""
        self._sealing.seal_all(run_id)

    def _report_malformed(self, run_id: str, file: str, batch: EventBatch, cursor: Cursor) -> None:
        assert batch.first_malformed is not None
        reason = Reason(
            code="malformed_events",
            params={
                "file": file,
                "count": cursor.malformed_count + batch.malformed_count,
                "detail": batch.first_malformed.detail,
            },
        )
        self._own_messages.post(run_id, f"malformed:{file}", "warning", reason)


def _counts(batch: EventBatch) -> dict[str, int]:
    counts: dict[str, int] = {level: len(messages) for level, messages in batch.messages.items()}
    return {**counts, "points": batch.point_count, "malformed": batch.malformed_count, "batches": 1}
