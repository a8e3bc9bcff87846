"""Who names an object: the one list of every place in the database where the hash of an object may stand.

A new field that holds such a hash belongs into `USES`: a released object that nothing here names is deleted.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from pymongo import UpdateOne
from pymongo.database import Database

from backend.stores.mongo.driver_errors import translates_driver_errors

BATCH = 500
USES: tuple[tuple[str, str], ...] = (
    ("items", "image"),
    ("results", "image"),
    ("artifacts", "sha256"),
    ("runs", "weights.sha256"),
    ("runs", "code_sha256"),
    ("dataset_versions", "manifest"),
    ("projects", "code.sha256"),
    ("projects", "code.files.sha256"),
    ("projects", "weights.sha256"),
    ("solutions", "code.sha256"),
    ("solutions", "code.files.sha256"),
    ("solutions", "weights.sha256"),
    ("pipeline_versions", "sha256"),
)
"""(collection, field), but for `runs.code`, which holds pairs of path and hash."""


@translates_driver_errors
class ObjectUseStore:
    """Objects that something let go wait in `released_objects` until it is known whether anything else names them."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self._released = database["released_objects"]

    def release(self, hashes: Iterable[str]) -> None:
        """Whatever named these objects does so no longer."""
        remaining = iter(hashes)
        while batch := list(islice(remaining, BATCH)):
            self._released.bulk_write(
                [UpdateOne({"_id": sha256}, {"$set": {"_id": sha256}}, upsert=True) for sha256 in batch], ordered=False
            )

    def released(self, after: str) -> list[str]:
        """The next released objects, by hash."""
        found = self._released.find({"_id": {"$gt": after}}, {"_id": 1}).sort("_id", 1).limit(BATCH)
        return [document["_id"] for document in found]

    def forget(self, hashes: Sequence[str]) -> None:
        """These have been dealt with."""
        self._released.delete_many({"_id": {"$in": list(hashes)}})

    def used(self, hashes: Sequence[str]) -> set[str]:
        """Those of these objects that anything names."""
        asked, used = set(hashes), set[str]()
        for collection, field in USES:
            if rest := list(asked - used):
                used |= asked & set(self._database[collection].distinct(field, {field: {"$in": rest}}))
        if rest := list(asked - used):
            pairs = {"code": {"$elemMatch": {"$elemMatch": {"$in": rest}}}}
            for document in self._database["runs"].find(pairs, {"code": 1}):
                used |= asked & {sha256 for _, sha256 in document["code"]}
        return used
