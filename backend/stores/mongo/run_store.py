"""Runs: everything that is needed to repeat one, and its state. The only truth about what runs, waits or has ended."""

import contextlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.contracts.base import Reason
from backend.contracts.runs import FINAL_STATES, Run, RunLimits, RunState, RunTimings, Sample
from backend.domain import run_lifecycle
from backend.domain.errors import ConflictError, NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors

END_TAIL_CHARS = 8 << 10
"""Of stderr in every answer that has the run, and of both streams once it has ended."""
_NOT_LISTED = {"code": 0, "token_sha256": 0, "stdout_tail": 0}
_NOT_IN_LISTS = _NOT_LISTED | {"stderr_tail": 0}

_ENDS = {"finished_at": 1, "created_at": 1}
_UNFINISHED: list[RunState] = [state for state in run_lifecycle.ARROWS if state not in FINAL_STATES]

# A rank is the moment of Start in Unix seconds until somebody moves the run.
_CLAIM_ORDER = [("priority", DESCENDING), ("queue_rank", ASCENDING), ("number", ASCENDING)]


@dataclass(frozen=True)
class WeightsFile:
    """A weights file handed to a run: its path below weights/ and its hash."""

    path: str
    sha256: str


@dataclass(frozen=True)
class RunInputs:
    """What the agent needs beside the run itself. `code` is path -> sha256."""

    code: dict[str, str]
    weights: tuple[WeightsFile, ...]
    classes: tuple[str, ...]


@translates_driver_errors
class RunStore:
    """Every change is one conditional update of one document, so two that try at once can not both succeed."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._runs = database["runs"]
        self._counters = database["counters"]

    def next_number(self) -> int:
        """The next number for humans, from 1. A run that is never saved leaves a gap."""
        counter = self._counters.find_one_and_update(
            {"_id": "run_number"}, {"$inc": {"value": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert counter is not None
        return int(counter["value"])

    def insert(self, run: Run, inputs: RunInputs) -> None:
        """Save a new run. One with this id that is there already stays as it is."""
        with contextlib.suppress(DuplicateKeyError):
            self._runs.insert_one(_to_document(run, inputs))

    def get(self, run_id: str) -> Run:
        """One run. Raises NotFoundError."""
        return _from_document(self._document(run_id, _NOT_LISTED))

    def inputs(self, run_id: str) -> RunInputs:
        """Code, weights and classes of a run. Raises NotFoundError."""
        document = self._document(run_id, {"code": 1, "weights": 1, "classes": 1})
        return RunInputs(
            code=dict(document["code"]),
            weights=tuple(WeightsFile(**weights) for weights in document["weights"]),
            classes=tuple(document["classes"]),
        )

    def check(self, run_id: str) -> None:
        """Raise NotFoundError unless there is such a run."""
        self._document(run_id, {"_id": 1})

    def move(
        self,
        run_id: str,
        after: RunState,
        changes: dict[str, Any] | None = None,
        only_from: Collection[RunState] | None = None,
        only_if: dict[str, Any] | None = None,
    ) -> Run | None:
        """Take one step of the lifecycle, or none: None when the run is not in a state from which `after` is allowed.

        `only_from` and `only_if` (fields and their values) narrow the condition further.
        """
        sources = [state for state in run_lifecycle.states_before(after) if only_from is None or state in only_from]
        document = self._runs.find_one_and_update(
            {"$and": [{"_id": run_id, "state": {"$in": sources}}, only_if or {}]},
            {"$set": {"state": after, **(changes or {})}},
            projection=_NOT_LISTED,
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _from_document(document)

    def claim(
        self, devices: Sequence[str], labels: Sequence[str], worker: str, token_sha256: str, now: datetime
    ) -> Run | None:
        """Hand the first run of the queue that fits to `worker`; None when none does.

        It fits when it wants one of `devices` and no label that is not among `labels`.
        """
        document = self._runs.find_one_and_update(
            {
                "state": "queued",
                "device": {"$in": list(devices)},
                "labels": {"$not": {"$elemMatch": {"$nin": list(labels)}}},
            },
            {
                "$set": {
                    "state": "starting",
                    "worker": worker,
                    "token_sha256": token_sha256,
                    "ticket_sha256": None,
                    "used_ticket_sha256": None,
                    "claimed_at": now,
                    "heartbeat_at": now,
                    "has_agent": False,
                },
                "$inc": {"claim_count": 1},
            },
            sort=_CLAIM_ORDER,
            projection=_NOT_LISTED,
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _from_document(document)

    def queued(self) -> list[Run]:
        """All runs of the queue, in the order in which they are claimed."""
        found = self._runs.find({"state": "queued"}, _NOT_IN_LISTS).sort(_CLAIM_ORDER)
        return [_from_document(document) for document in found]

    def active(self) -> list[Run]:
        """Runs that occupy a slot of a worker, by number."""
        query = {"state": {"$in": list(run_lifecycle.ACTIVE_STATES)}}
        return [_from_document(document) for document in self._runs.find(query, _NOT_IN_LISTS).sort("number", 1)]

    def active_of(self, worker: str) -> list[Run]:
        """Runs that occupy a slot of one worker, by number."""
        query = {"state": {"$in": list(run_lifecycle.ACTIVE_STATES)}, "worker": worker}
        return [_from_document(document) for document in self._runs.find(query, _NOT_IN_LISTS).sort("number", 1)]

    def used_slots(self, worker: str) -> Counter[str]:
        """How many runs occupy each device of a worker."""
        query = {"state": {"$in": list(run_lifecycle.ACTIVE_STATES)}, "worker": worker}
        return Counter(document["device"] for document in self._runs.find(query, {"device": 1}))

    def unproven_count(self, worker: str) -> int:
        """Runs handed to a worker whose agent was never heard."""
        return self._runs.count_documents({"state": "starting", "worker": worker, "has_agent": False})

    def queue_ranks(self, priority: int) -> dict[str, float]:
        """Run id -> rank of the queued runs of one priority, in the order of claims."""
        found = self._runs.find({"state": "queued", "priority": priority}, {"queue_rank": 1}).sort(_CLAIM_ORDER)
        return {document["_id"]: document["queue_rank"] for document in found}

    def set_queue_place(self, run_id: str, priority: int, rank: float | None = None) -> bool:
        """Give a queued run another place: a priority and, where given, a rank. False when it is not in the queue."""
        changes = {"priority": priority} if rank is None else {"priority": priority, "queue_rank": rank}
        return self._runs.update_one({"_id": run_id, "state": "queued"}, {"$set": changes}).matched_count == 1

    def adopt(self, run_id: str, worker: str, token_sha256: str, now: datetime) -> Run:
        """Give an active or final run a new token, an active one a new lease. Raises NotFoundError, ConflictError."""
        taken = {"token_sha256": token_sha256, "ticket_sha256": None, "worker": worker}
        leased = taken | {"heartbeat_at": now, "has_agent": True}
        for states, changes in ((run_lifecycle.ACTIVE_STATES, leased), (tuple(FINAL_STATES), taken)):
            document = self._runs.find_one_and_update(
                {"_id": run_id, "state": {"$in": list(states)}},
                {"$set": changes},
                projection=_NOT_LISTED,
                return_document=ReturnDocument.AFTER,
            )
            if document is not None:
                return _from_document(document)
        raise ConflictError("run_not_adoptable", run=run_id, state=self.get(run_id).state)

    def set_heartbeat(self, run_id: str, now: datetime, tails: dict[str, str]) -> bool | None:
        """Renew the lease; the answer is whether a stop is requested, or None when the run is no longer active."""
        document = self._runs.find_one_and_update(
            {"_id": run_id, "state": {"$in": list(run_lifecycle.ACTIVE_STATES)}},
            {"$set": {"heartbeat_at": now, "has_agent": True, **tails}},
            projection={"is_stop_requested": 1},
        )
        return None if document is None else bool(document["is_stop_requested"])

    def request_stop(self, run_id: str) -> bool:
        """Ask the agent of an active run to stop it. False when the run is not active."""
        result = self._runs.update_one(
            {"_id": run_id, "state": {"$in": list(run_lifecycle.ACTIVE_STATES)}}, {"$set": {"is_stop_requested": True}}
        )
        return result.matched_count == 1

    def set_progress(self, run_id: str, time: float, progress: float) -> None:
        """Set progress (0..100) unless a later one is already there."""
        self._runs.update_one(
            {"_id": run_id, "progress_time": {"$lte": time}}, {"$set": {"progress": progress, "progress_time": time}}
        )

    def set_first_line(self, run_id: str, time: datetime) -> None:
        """Note when user code first called the SDK; the earliest stays."""
        self._runs.update_one({"_id": run_id}, {"$min": {"first_line_at": time}})

    def is_stop_requested(self, run_id: str) -> bool:
        """Whether an agent should end its script: a stop was asked for, or the run is no longer its own."""
        document = self._document(run_id, {"is_stop_requested": 1, "state": 1})
        return bool(document["is_stop_requested"]) or document["state"] not in run_lifecycle.ACTIVE_STATES

    def has_token(self, run_id: str, token_sha256: str) -> bool:
        """Whether this is the hash of the run's token."""
        return self._runs.find_one({"_id": run_id, "token_sha256": token_sha256}, {"_id": 1}) is not None

    def run_of_token(self, token_sha256: str) -> str | None:
        """The active run whose token has this hash."""
        query = {"token_sha256": token_sha256, "state": {"$in": list(run_lifecycle.ACTIVE_STATES)}}
        document = self._runs.find_one(query, {"_id": 1})
        return None if document is None else str(document["_id"])

    def project_of_active(self, run_id: str) -> str | None:
        """The project of an active run, None for any other."""
        query = {"_id": run_id, "state": {"$in": list(run_lifecycle.ACTIVE_STATES)}}
        document = self._runs.find_one(query, {"project_id": 1})
        return None if document is None else str(document["project_id"])

    def tail(self, run_id: str, stream: str) -> str:
        """The last text of `stdout` or `stderr` that the agent sent. Raises NotFoundError."""
        return str(self._document(run_id, {f"{stream}_tail": 1}).get(f"{stream}_tail", ""))

    def silent_since(self, time: datetime) -> list[tuple[Run, bool, int]]:
        """Active runs whose lease was last renewed before `time`: (run, has an agent ever reported, claims so far)."""
        found = self._runs.find(
            {"state": {"$in": list(run_lifecycle.ACTIVE_STATES)}, "heartbeat_at": {"$lt": time}}, _NOT_LISTED
        )
        return [(_from_document(document), document["has_agent"], document["claim_count"]) for document in found]

    def awaiting_retry(self) -> list[Run]:
        """Failed and lost runs that are to be started again and were not yet."""
        found = self._runs.find(
            {"state": {"$in": ["failed", "lost"]}, "retries": {"$gt": 0}, "retried_as": None}, _NOT_LISTED
        )
        return [_from_document(document) for document in found]

    def set_retried(self, run_id: str, retried_as: str) -> None:
        """Note which run repeats this one."""
        self._runs.update_one({"_id": run_id}, {"$set": {"retried_as": retried_as}})

    def never_queued(self, before: datetime) -> list[Run]:
        """Runs that were saved before `before` and never reached the queue: their request died half-way."""
        found = self._runs.find({"state": "created", "created_at": {"$lt": before}}, _NOT_LISTED)
        return [_from_document(document) for document in found]

    def unfinished_of_dataset(self, dataset_id: str) -> list[int]:
        """Numbers of the runs that name this dataset and wait or are active, ascending."""
        query = {"samples.dataset_id": dataset_id, "state": {"$in": _UNFINISHED}}
        return sorted(document["number"] for document in self._runs.find(query, {"number": 1}))

    def note_deleted_dataset(self, dataset_id: str, name: str) -> None:
        """Write the name of a dataset that is being deleted into every run that names it."""
        self._runs.update_many(
            {"samples.dataset_id": dataset_id},
            {"$set": {"samples.$[sample].deleted_dataset": name}},
            array_filters=[{"sample.dataset_id": dataset_id}],
        )

    def has_unfinished_of(self, project_id: str) -> bool:
        """Whether a run of this project waits or is active."""
        return self._runs.find_one({"project_id": project_id, "state": {"$in": _UNFINISHED}}, {"_id": 1}) is not None

    def remove_final(self, run_id: str) -> bool:
        """Delete the document of a run that has ended. False when it is not final (or not there)."""
        query = {"_id": run_id, "state": {"$in": list(FINAL_STATES)}}
        return self._runs.delete_one(query).deleted_count == 1

    def ended_at(self, run_ids: Sequence[str]) -> dict[str, datetime]:
        """When each of these runs ended; runs that have not ended, or do not exist, are left out."""
        query = {"_id": {"$in": list(run_ids)}, "state": {"$in": list(FINAL_STATES)}}
        return {d["_id"]: d["finished_at"] or d["created_at"] for d in self._runs.find(query, _ENDS)}

    def _document(self, run_id: str, projection: dict[str, int]) -> dict[str, Any]:
        document = self._runs.find_one({"_id": run_id}, projection)
        if document is None:
            raise NotFoundError("run_not_found", run=run_id[:80])
        return document


def _to_document(run: Run, inputs: RunInputs) -> dict[str, Any]:
    fields = run.model_dump(exclude={"id", "timings", "message_counts", "weights", "waits_for"})
    return {
        "_id": run.id,
        **fields,
        # Pairs, because a path has dots and MongoDB reads those in a field name as nesting.
        "code": list(inputs.code.items()),
        "weights": [{"path": weights.path, "sha256": weights.sha256} for weights in inputs.weights],
        "classes": list(inputs.classes),
        "queue_rank": run.created_at.timestamp(),
        "stdout_tail": "",
        "progress_time": 0.0,
        "claim_count": 0,
        "has_agent": False,
    }


def _from_document(document: dict[str, Any]) -> Run:
    return Run(
        id=document["_id"],
        samples=tuple(Sample(**sample) for sample in document["samples"]),
        limits=RunLimits(**document.get("limits", {})),
        reason=Reason(**document["reason"]) if document["reason"] else None,
        weights=tuple(weights["path"] for weights in document["weights"]),
        timings=RunTimings(**timings_of(document)),
        stderr_tail=document.get("stderr_tail", "")[-END_TAIL_CHARS:],
        **{name: document[name] for name in _PLAIN_FIELDS if name in document},
    )


def timings_of(document: dict[str, Any]) -> dict[str, float | None]:
    """The fields of RunTimings of a stored run."""
    created_at = document["created_at"]
    return {
        "queue_s": _seconds(created_at, document["started_at"]),
        "start_s": _seconds(created_at, document.get("process_started_at")),
        "first_line_s": _seconds(created_at, document.get("first_line_at")),
        "total_s": _seconds(created_at, document["finished_at"]),
    }


_PLAIN_FIELDS = Run.model_fields.keys() - {
    *("id", "samples", "limits", "reason", "weights", "timings", "stderr_tail", "message_counts", "waits_for")
}


def _seconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - start).total_seconds()
