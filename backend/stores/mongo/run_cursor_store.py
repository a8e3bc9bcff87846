"""How far each event file of each run is stored: what makes a batch count exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.contracts.reports import MESSAGE_LEVELS, MessageLevel
from backend.stores.mongo.driver_errors import translates_driver_errors


@dataclass(frozen=True)
class Cursor:
    """`accepted` bytes of the file are stored for good; `pending` is the end of the batch being stored, or 0."""

    accepted: int
    pending: int
    malformed_count: int
    point_count: int = 0
    batch_count: int = 0


@dataclass(frozen=True)
class FileEnd:
    """What of an event file is stored for good: bytes, and the points in them."""

    accepted: int
    points: int


@translates_driver_errors
class RunCursorStore:
    """The first sender of a batch fixes where it ends (`claim`). Whoever sends that piece again, even at the same
    time, writes the very same documents, so the order of writers does not matter; one of them moves the cursor
    (`advance`). A crash in between leaves documents that the repetition replaces by themselves.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._cursors = database["run_cursors"]

    def claim(self, run_id: str, file: str, offset: int, end: int) -> Cursor:
        """Fix `end` as the end of the batch at `offset`, if nothing fixed it before; the answer is what holds now."""
        is_next = {"$and": [{"$eq": ["$accepted", offset]}, {"$eq": ["$pending", 0]}]}
        pipeline: list[dict[str, Any]] = [
            {
                "$set": {
                    "run_id": run_id,
                    "file": file,
                    "accepted": {"$ifNull": ["$accepted", 0]},
                    "pending": {"$ifNull": ["$pending", 0]},
                    "counts": {"$ifNull": ["$counts", {}]},
                }
            },
            {"$set": {"pending": {"$cond": [is_next, end, "$pending"]}}},
        ]
        query = {"_id": f"{run_id}:{file}"}
        try:
            found = self._upsert(query, pipeline)
        except DuplicateKeyError:  # Two first batches at once: the document exists now.
            found = self._upsert(query, pipeline)
        counts = [found["counts"].get(name, 0) for name in ("malformed", "points", "batches")]
        return Cursor(found["accepted"], found["pending"], *counts)

    def advance(self, run_id: str, file: str, offset: int, end: int, counts: dict[str, int]) -> int:
        """Everything up to `end` is stored; nothing is changed when another writer of the same batch was first.

        The answer is how many bytes of the file are stored for good now.
        """
        result = self._cursors.update_one(
            {"_id": f"{run_id}:{file}", "accepted": offset, "pending": end},
            {
                "$set": {"accepted": end, "pending": 0},
                "$inc": {f"counts.{name}": count for name, count in counts.items()},
            },
        )
        return end if result.matched_count else self.accepted(run_id, file)

    def add_count(self, run_id: str, file: str, name: str) -> None:
        """Count one more thing that came from no event file, such as a message of the workstation itself."""
        self._cursors.update_one(
            {"_id": f"{run_id}:{file}"},
            {
                "$setOnInsert": {"run_id": run_id, "file": file, "accepted": 0, "pending": 0},
                "$inc": {f"counts.{name}": 1},
            },
            upsert=True,
        )

    def accepted(self, run_id: str, file: str) -> int:
        """Bytes of the file that are stored for good."""
        document = self._cursors.find_one({"_id": f"{run_id}:{file}"}, {"accepted": 1})
        return 0 if document is None else int(document["accepted"])

    def files(self, run_id: str) -> dict[str, FileEnd]:
        """How far every event file of a run is stored."""
        found = self._cursors.find({"run_id": run_id}, {"file": 1, "accepted": 1, "counts.points": 1})
        return {d["file"]: FileEnd(d["accepted"], d.get("counts", {}).get("points", 0)) for d in found}

    def message_counts(self, run_ids: Sequence[str]) -> dict[str, dict[MessageLevel, int]]:
        """Messages of each run by level, over all its event files."""
        totals = {run_id: dict.fromkeys(MESSAGE_LEVELS, 0) for run_id in run_ids}
        query = {"run_id": {"$in": list(run_ids)}}
        fields = {"_id": 0, "run_id": 1} | {f"counts.{level}": 1 for level in MESSAGE_LEVELS}
        for document in self._cursors.find(query, fields, batch_size=2 * len(totals) + 1):
            total = totals[document["run_id"]]
            for level, count in document["counts"].items():
                total[level] += count
        return totals

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        self._cursors.delete_many({"run_id": run_id})

    def _upsert(self, query: dict[str, Any], pipeline: list[dict[str, Any]]) -> dict[str, Any]:
        found = self._cursors.find_one_and_update(query, pipeline, upsert=True, return_document=ReturnDocument.AFTER)
        assert found is not None
        return found
