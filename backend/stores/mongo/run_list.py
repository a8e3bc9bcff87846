"""Lists of runs as the JSON of their reply: a thousand models, made and checked again, would take five times as long.

Most of a run never changes once it is saved: that is read once. The rest is read each time and encoded when it differs
from what was read before.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from bson.codec_options import CodecOptions
from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

from backend.contracts.runs import MessageLevel, Run, RunKind
from backend.domain.errors import NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors
from backend.stores.mongo.run_store import timings_of

MAX_KEPT_RUNS = 4000
"""About 3 KiB each."""
_FIXED = (
    *("number", "project_id", "project_name", "kind", "entry_file", "arguments", "device", "params", "samples"),
    *("code_sha256", "train_run_id", "weights", "seed", "network"),
)
"""What nobody changes after RunStore.insert."""
_NOT_STORED = ("id", "timings", "message_counts", "waits_for")
_NOT_LISTED = ("stderr_tail",)
_CHANGING = [name for name in Run.model_fields if name not in (*_FIXED, *_NOT_STORED, *_NOT_LISTED)]
_MOMENTS = ("process_started_at", "first_line_at")
"""Stored, but told as timings only."""
_DEFAULTS = {
    name: field.get_default(call_default_factory=True)
    for name, field in Run.model_fields.items()
    if not field.is_required()
}
_ABSENT = {name: value for name, value in _DEFAULTS.items() if name not in _FIXED}
_encode = msgspec.json.Encoder().encode


@dataclass
class _KeptRun:
    """The JSON of what never changes; and of the rest, with what it was made from."""

    fixed: bytes
    changing: bytes = b""
    document: dict[str, Any] = field(default_factory=dict)
    counts: dict[MessageLevel, int] = field(default_factory=dict)

    def json(self, document: dict[str, Any], counts: dict[MessageLevel, int]) -> bytes:
        if document != self.document or counts != self.counts:
            self.changing = _changing_part(document, counts)
            self.document, self.counts = document, counts
        # Both are objects, none of them empty.
        return self.fixed[:-1] + b"," + self.changing[1:]


@translates_driver_errors
class RunList:
    """Thread-safe. `counts_of` finds the messages of runs by level."""

    def __init__(
        self,
        database: Database[dict[str, Any]],
        counts_of: Callable[[Sequence[str]], dict[str, dict[MessageLevel, int]]],
    ) -> None:
        # Dates without a zone, all of them UTC: making each aware takes longer than reading the rest of a document.
        self._runs: Collection[dict[str, Any]] = database["runs"].with_options(CodecOptions(tz_aware=False))
        self._counts_of = counts_of
        self._kept: dict[str, _KeptRun] = {}
        self._lock = threading.Lock()

    def page(self, project_id: str | None, kind: RunKind | None, limit: int, before: str | None) -> bytes:
        """A JSON list of Run without stderr_tail, newest first; `before` is the id of the last run of the page above.

        Raises NotFoundError for an unknown `before`.
        """
        wanted = {"project_id": project_id, "kind": kind}
        query: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        if before is not None:
            query["number"] = {"$lt": self._number(before)}
        fields = dict.fromkeys((*_CHANGING, *_MOMENTS), 1)
        # One answer of the server instead of several: by itself it stops after 101 documents.
        found = list(self._runs.find(query, fields, batch_size=limit).sort("number", DESCENDING).limit(limit))
        ids = [document["_id"] for document in found]
        counts = self._counts_of(ids)
        with self._lock:
            kept = self._kept_runs(ids)
            return b"[" + b",".join(kept[d["_id"]].json(d, counts[d["_id"]]) for d in found) + b"]"

    def _number(self, run_id: str) -> int:
        document = self._runs.find_one({"_id": run_id}, {"number": 1})
        if document is None:
            raise NotFoundError("run_not_found", run=run_id[:80])
        return int(document["number"])

    def _kept_runs(self, ids: Sequence[str]) -> dict[str, _KeptRun]:
        missing = [run_id for run_id in ids if run_id not in self._kept]
        if missing:
            if len(self._kept) + len(missing) > MAX_KEPT_RUNS:
                self._kept = {run_id: self._kept[run_id] for run_id in ids if run_id in self._kept}
            query, fields = {"_id": {"$in": missing}}, dict.fromkeys(_FIXED, 1)
            for document in self._runs.find(query, fields, batch_size=len(missing) + 1):
                self._kept[document["_id"]] = _KeptRun(_fixed_part(document))
        return self._kept


def _fixed_part(document: dict[str, Any]) -> bytes:
    run = {name: document[name] if name in document else _DEFAULTS[name] for name in _FIXED}
    return _encode(run | {"id": document["_id"], "weights": [weights["path"] for weights in document["weights"]]})


def _changing_part(document: dict[str, Any], counts: dict[MessageLevel, int]) -> bytes:
    run = _ABSENT | document
    run["timings"] = timings_of(document)
    run["message_counts"] = counts
    for name in ("_id", *_MOMENTS):
        run.pop(name, None)
    for name, value in run.items():
        if type(value) is datetime:
            run[name] = value.replace(tzinfo=UTC)
    return _encode(run)
