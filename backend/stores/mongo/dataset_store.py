"""Datasets as they were imported. A dataset is visible only in the state `ready`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database

from backend.contracts.base import Problem
from backend.contracts.datasets import Split, SplitCounts
from backend.domain.errors import NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors


@dataclass(frozen=True)
class DatasetRecord:
    """What does not change after the import; `splits` are the counts of that moment."""

    id: str
    name: str
    description: str
    classes: tuple[str, ...]
    splits: dict[Split, SplitCounts]
    created_at: datetime
    warnings: tuple[Problem, ...] = ()
    is_copy_checked: bool = False


@translates_driver_errors
class DatasetStore:
    """importing → ready → deleting. Each step is one atomic write, so a crash never shows half a dataset."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["datasets"]

    def begin_import(self, dataset_id: str, now: datetime) -> None:
        """Reserve an id; nobody sees it yet."""
        self._collection.insert_one({"_id": dataset_id, "state": "importing", "created_at": now, "touched_at": now})

    def touch_import(self, dataset_id: str, now: datetime) -> None:
        """Say that the import is alive."""
        self._collection.update_one({"_id": dataset_id, "state": "importing"}, {"$set": {"touched_at": now}})

    def publish(self, record: DatasetRecord) -> bool:
        """Make an imported dataset visible; False when its import was given up in the meantime."""
        fields = _to_document(record)
        done = self._collection.update_one({"_id": record.id, "state": "importing"}, {"$set": fields})
        return done.matched_count == 1

    def records(self) -> list[DatasetRecord]:
        """Every visible dataset, newest first."""
        return [_from_document(d) for d in self._collection.find({"state": "ready"}).sort("created_at", DESCENDING)]

    def get(self, dataset_id: str) -> DatasetRecord:
        """One visible dataset. Raises NotFoundError."""
        document = self._collection.find_one({"_id": dataset_id, "state": "ready"})
        if document is None:
            raise NotFoundError("dataset_not_found", id=dataset_id)
        return _from_document(document)

    def note_copies(self, dataset_id: str, found: Sequence[Problem]) -> None:
        """Near copies were looked for in a dataset that was imported before that was done."""
        warnings = [problem.model_dump() for problem in found]
        self._collection.update_one(
            {"_id": dataset_id, "state": "ready", "is_copy_checked": {"$ne": True}},
            {"$set": {"is_copy_checked": True}, "$push": {"warnings": {"$each": warnings, "$position": 0}}},
        )

    def hide(self, dataset_id: str) -> None:
        """First step of a deletion. Raises NotFoundError."""
        done = self._collection.update_one({"_id": dataset_id, "state": "ready"}, {"$set": {"state": "deleting"}})
        if not done.matched_count:
            raise NotFoundError("dataset_not_found", id=dataset_id)

    def show_again(self, dataset_id: str) -> None:
        """Take a hidden dataset back: the deletion was refused."""
        self._collection.update_one({"_id": dataset_id, "state": "deleting"}, {"$set": {"state": "ready"}})

    def hidden_name(self, dataset_id: str) -> str:
        """Name of a dataset whose deletion did not end."""
        document = self._collection.find_one({"_id": dataset_id}, {"name": 1})
        return "" if document is None else str(document.get("name", ""))

    def remove(self, dataset_id: str) -> None:
        """Last step of a deletion or of giving an import up."""
        self._collection.delete_one({"_id": dataset_id, "state": {"$ne": "ready"}})

    def leftovers(self, silent_since: datetime) -> Iterable[str]:
        """Ids of imports silent since then: what a killed process left."""
        query = {"state": "importing", "touched_at": {"$lt": silent_since}}
        return [document["_id"] for document in self._collection.find(query, {"_id": 1})]

    def hidden(self) -> Iterable[str]:
        """Ids of datasets whose deletion did not end."""
        return [document["_id"] for document in self._collection.find({"state": "deleting"}, {"_id": 1})]


def _to_document(record: DatasetRecord) -> dict[str, Any]:
    return {
        "state": "ready",
        "name": record.name,
        "description": record.description,
        "classes": list(record.classes),
        "splits": {split: counts.model_dump() for split, counts in record.splits.items()},
        "created_at": record.created_at,
        "warnings": [warning.model_dump() for warning in record.warnings],
        "is_copy_checked": record.is_copy_checked,
    }


def _from_document(document: dict[str, Any]) -> DatasetRecord:
    return DatasetRecord(
        id=document["_id"],
        name=document["name"],
        description=document["description"],
        classes=tuple(document["classes"]),
        splits={split: SplitCounts(**counts) for split, counts in document["splits"].items()},
        created_at=document["created_at"],
        warnings=tuple(Problem(**warning) for warning in document["warnings"]),
        is_copy_checked=document.get("is_copy_checked", False),
    )
