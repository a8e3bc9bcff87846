"""Lists of runs as the JSON of their reply: a thousand models, made and checked again, would take ten times as long.

A document that comes from the server byte for byte as before is not even decoded: its JSON is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import bson
import msgspec
from bson.codec_options import CodecOptions
from pydantic_core import to_jsonable_python
from pymongo import DESCENDING
from pymongo.database import Database

from backend.contracts.reports import MessageLevel
from backend.contracts.runs import Run, RunKind
from backend.domain.errors import NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors
from backend.stores.mongo.run_store import timings_of

MAX_KEPT = 5000
"""About 2 KiB each."""
_ABSENT = {
    name: to_jsonable_python(field.get_default(call_default_factory=True))
    for name, field in Run.model_fields.items()
    if not field.is_required() and name != "message_counts"
}
_MOMENTS = ("process_started_at", "first_line_at")
"""Stored, but told as timings only."""
_LISTED = dict.fromkeys((*_MOMENTS, *(Run.model_fields.keys() - {"id", "timings", "stderr_tail", "waits_for"})), 1)
# Dates without a zone, all of them UTC: making each aware takes longer than reading the rest of a document.
_NAIVE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=False)
_encode = msgspec.json.Encoder().encode


@translates_driver_errors
class RunList:
    """Thread-safe. `counts_of` finds the messages of runs by level."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        counts_of: Callable[[Sequence[str]], dict[str, dict[MessageLevel, int]]],
    ) -> None:
        self._runs = database["runs"]
        self._counts_of = counts_of
        self._kept: dict[bytes, tuple[str, bytes]] = {}
        """by the bytes of the document: the id and the JSON of the run, but for its messages and the closing brace"""

    def page(self, project_id: str | None, kind: RunKind | None, limit: int, before: str | None) -> bytes:
        """A JSON list of Run without stderr_tail, newest first; `before` is the id of the last run of the page above.

        Raises NotFoundError for an unknown `before`.
        """
        wanted = {"project_id": project_id, "kind": kind}
        query: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        if before is not None:
            query["number"] = {"$lt": self._number(before)}
        # One answer of the server instead of several: by itself it stops after 101 documents.
        found = self._runs.find_raw_batches(query, _LISTED, batch_size=limit).sort("number", DESCENDING).limit(limit)
        rows = {raw: self._kept.get(raw) or _row(raw) for batch in found for raw in _documents(cast(bytes, batch))}
        self._kept = rows if len(self._kept) > MAX_KEPT else self._kept | rows
        counts = self._counts_of([run_id for run_id, _ in rows.values()])
        return b"[" + b",".join(opened + _encode(counts[run_id]) + b"}" for run_id, opened in rows.values()) + b"]"

    def _number(self, run_id: str) -> int:
        document = self._runs.find_one({"_id": run_id}, {"number": 1})
        if document is None:
            raise NotFoundError("run_not_found", run=run_id[:80])
        return int(document["number"])


def _documents(batch: bytes) -> Iterator[bytes]:
    """The documents of a batch; each begins with its length."""
    start = 0
    while start < len(batch):
        end = start + int.from_bytes(batch[start : start + 4], "little")
        yield batch[start:end]
        start = end


def _row(raw: bytes) -> tuple[str, bytes]:
    document = bson.decode(raw, _NAIVE)
    run = {**_ABSENT, **document, "id": document["_id"], "timings": timings_of(document)}
    run["weights"] = [weights["path"] for weights in document["weights"]]
    for name in ("_id", *_MOMENTS):
        run.pop(name, None)
    for name, value in run.items():
        if type(value) is datetime:
            run[name] = value.replace(tzinfo=UTC)
    return document["_id"], _encode(run)[:-1] + b',"message_counts":'
