"""Frozen states of datasets: numbered from 1, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.contracts.datasets import DatasetVersion, SplitCounts
from backend.domain.errors import ConflictError, NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors


@dataclass(frozen=True)
class VersionRecord:
    """A version and the number of edits that it contains: the dataset is changed when it has had more since."""

    version: DatasetVersion
    edit_count: int


@translates_driver_errors
class DatasetVersionStore:
    """The number is unique within a dataset: of two that freeze at once one is told to look again."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["dataset_versions"]

    def insert(self, record: VersionRecord) -> None:
        """Add a version. Raises ConflictError when its number is taken."""
        try:
            self._collection.insert_one(_to_document(record))
        except DuplicateKeyError:
            raise ConflictError("version_taken", number=record.version.number) from None

    def newest(self, dataset_id: str) -> VersionRecord | None:
        """The version with the highest number."""
        document = self._collection.find_one({"dataset_id": dataset_id}, sort=[("number", DESCENDING)])
        return None if document is None else _from_document(document)

    def newest_of(self, dataset_ids: Sequence[str]) -> dict[str, VersionRecord]:
        """The newest version of each dataset that has one."""
        stages: list[dict[str, Any]] = [
            {"$match": {"dataset_id": {"$in": list(dataset_ids)}}},
            {"$sort": {"dataset_id": 1, "number": -1}},
            {"$group": {"_id": "$dataset_id", "newest": {"$first": "$$ROOT"}}},
        ]
        return {d["_id"]: _from_document(d["newest"]) for d in self._collection.aggregate(stages)}

    def get(self, dataset_id: str, number: int) -> DatasetVersion:
        """One version. Raises NotFoundError."""
        document = self._collection.find_one({"dataset_id": dataset_id, "number": number})
        if document is None:
            raise NotFoundError("version_not_found", dataset=dataset_id, number=number)
        return _from_document(document).version

    def versions(self, dataset_id: str) -> list[DatasetVersion]:
        """All versions, newest first."""
        found = self._collection.find({"dataset_id": dataset_id}).sort("number", DESCENDING)
        return [_from_document(document).version for document in found]

    def remove_dataset(self, dataset_id: str) -> None:
        """Delete every version of a dataset."""
        self._collection.delete_many({"dataset_id": dataset_id})


def _to_document(record: VersionRecord) -> dict[str, Any]:
    version = record.version
    return {
        "_id": f"{version.dataset_id}:{version.number}",
        **version.model_dump(),
        "edit_count": record.edit_count,
    }


def _from_document(document: dict[str, Any]) -> VersionRecord:
    version = DatasetVersion(
        dataset_id=document["dataset_id"],
        number=document["number"],
        manifest=document["manifest"],
        splits={split: SplitCounts(**counts) for split, counts in document["splits"].items()},
        note=document["note"],
        created_at=document["created_at"],
    )
    return VersionRecord(version, document["edit_count"])
