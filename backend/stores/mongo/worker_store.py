"""Workers: who computes runs, what each offers, when it was last heard of, and whether it is being drained."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from backend.contracts.workers import Device, DiskUse
from backend.stores.mongo.driver_errors import translates_driver_errors


@dataclass(frozen=True)
class KnownWorker:
    """A worker as it last described itself."""

    name: str
    labels: tuple[str, ...]
    devices: tuple[Device, ...]
    is_draining: bool
    last_seen: datetime
    disk: DiskUse | None = None


@translates_driver_errors
class WorkerStore:
    """One document a worker, by its name; a restarted worker finds its own again, drained or not."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._workers = database["workers"]

    def renew(self, name: str, labels: Sequence[str], devices: Sequence[Device], now: datetime) -> None:
        """The worker is alive now and offers this."""
        described = {"labels": list(labels), "devices": [device.model_dump() for device in devices], "last_seen": now}
        self._workers.update_one(
            {"_id": name}, {"$set": described, "$setOnInsert": {"is_draining": False}}, upsert=True
        )

    def workers(self) -> list[KnownWorker]:
        """All workers ever met and not removed, by name."""
        return [_from_document(document) for document in self._workers.find().sort("_id", ASCENDING)]

    def is_draining(self, name: str) -> bool:
        """Whether the worker is to take no new runs."""
        return self._workers.find_one({"_id": name, "is_draining": True}, {"_id": 1}) is not None

    def set_draining(self, name: str, is_draining: bool) -> bool:
        """Begin or end draining. False when there is no such worker."""
        return self._workers.update_one({"_id": name}, {"$set": {"is_draining": is_draining}}).matched_count == 1

    def set_disk(self, name: str, disk: DiskUse) -> bool:
        """Note how the worker's disk is used. False when there is no such worker."""
        return self._workers.update_one({"_id": name}, {"$set": {"disk": disk.model_dump()}}).matched_count == 1

    def remove(self, name: str, silent_since: datetime) -> bool:
        """Forget a worker unless it was heard of after `silent_since`."""
        return self._workers.delete_one({"_id": name, "last_seen": {"$lte": silent_since}}).deleted_count == 1


def _from_document(document: dict[str, Any]) -> KnownWorker:
    return KnownWorker(
        name=document["_id"],
        labels=tuple(document["labels"]),
        devices=tuple(Device(**device) for device in document["devices"]),
        is_draining=document["is_draining"],
        last_seen=document["last_seen"],
        disk=DiskUse(**document["disk"]) if document.get("disk") else None,
    )
