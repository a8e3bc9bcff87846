"""Runs that were deleted: what is left of them to clear away, and, for ever, that they existed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from backend.stores.mongo.driver_errors import translates_driver_errors


@translates_driver_errors
class DeletedRunStore:
    """Noted before anything is deleted, so a deletion that was cut short goes on, and no worker keeps the folder.

    A worker may come back after months: the note that its run is gone stays. It is 60 bytes.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._deleted = database["deleted_runs"]

    def note(self, run_id: str, objects: Sequence[str], now: datetime) -> None:
        """This run is being deleted; its document is the only place that names these `objects`."""
        note = {"$setOnInsert": {"deleted_at": now, "is_cleared": False, "objects": list(objects)}}
        self._deleted.update_one({"_id": run_id}, note, upsert=True)

    def uncleared(self) -> dict[str, list[str]]:
        """Runs of which something may be left, with the objects that they named themselves."""
        found = self._deleted.find({"is_cleared": False}).sort("_id", ASCENDING)
        return {document["_id"]: document["objects"] for document in found}

    def set_cleared(self, run_id: str) -> None:
        """Nothing of it is left."""
        self._deleted.update_one({"_id": run_id}, {"$set": {"is_cleared": True}, "$unset": {"objects": ""}})

    def among(self, run_ids: Sequence[str]) -> list[str]:
        """Those of these runs that were deleted."""
        return [document["_id"] for document in self._deleted.find({"_id": {"$in": list(run_ids)}}, {"_id": 1})]
