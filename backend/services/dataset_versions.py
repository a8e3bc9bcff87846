"""Freezes datasets into immutable versions and reads samples back from them."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from backend.contracts.datasets import DatasetItem, DatasetVersion, SampleEntry, Split, SplitCounts
from backend.domain.errors import ConflictError
from backend.domain.markup_rules import box_count_of
from backend.stores.mongo.dataset_version_store import DatasetVersionStore, VersionRecord
from backend.stores.mongo.item_store import ItemStore
from backend.stores.object_store import ObjectStore

BATCH = 500
FREEZE_ATTEMPTS = 5
MANIFEST_FORMAT = 1


class DatasetVersions:
    """A version's manifest is an object of JSON lines, a header and one line an item: walked in flat memory."""

    def __init__(
        self, versions: DatasetVersionStore, items: ItemStore, objects: ObjectStore, now: Callable[[], datetime]
    ) -> None:
        self._versions = versions
        self._items = items
        self._objects = objects
        self._now = now

    def freeze(self, dataset_id: str, classes: tuple[str, ...], note: str = "") -> DatasetVersion:
        """A version of the present state; the newest one when nothing changed since. Raises ConflictError."""
        for _ in range(FREEZE_ATTEMPTS):
            newest = self._versions.newest(dataset_id)
            # Revisions only grow and items are never added, so an equal sum of edits means an equal state.
            if newest is not None and newest.edit_count == self._items.edits([dataset_id])[dataset_id].count:
                return newest.version
            record = self._snapshot(dataset_id, classes, note, 1 if newest is None else newest.version.number + 1)
            try:
                self._versions.insert(record)
            except ConflictError:
                continue
            return record.version
        raise ConflictError("dataset_busy", id=dataset_id)

    def entries(self, version: DatasetVersion, split: Split) -> Iterator[SampleEntry]:
        """Elements of one split in order, each with the markup that it had when the version was frozen."""
        lines = (line for line in self._manifest_lines(version) if line["split"] == split)
        while batch := list(islice(lines, BATCH)):
            markups = self._items.markups([(line["item_id"], line["revision"]) for line in batch])
            for line in batch:
                yield SampleEntry(
                    item_id=line["item_id"],
                    name=line["name"],
                    image=line["image"],
                    width=line["width"],
                    height=line["height"],
                    markup=markups[line["item_id"], line["revision"]],
                )

    def _snapshot(self, dataset_id: str, classes: tuple[str, ...], note: str, number: int) -> VersionRecord:
        counts: dict[Split, SplitCounts] = {}
        edit_count = 0
        with self._objects.scratch_file() as manifest:
            manifest.write(_line({"format": MANIFEST_FORMAT, "dataset_id": dataset_id, "classes": classes}))
            for item in chain.from_iterable(self._items.batches(dataset_id, BATCH)):
                manifest.write(_line(_manifest_entry(item)))
                before = counts.get(item.split, SplitCounts())
                boxes = before.boxes + box_count_of(item.markup)
                counts[item.split] = SplitCounts(images=before.images + 1, boxes=boxes)
                edit_count += item.revision - 1
            manifest.flush()
            sha256 = self._objects.put_file(Path(manifest.name))
        version = DatasetVersion(
            dataset_id=dataset_id, number=number, manifest=sha256, splits=counts, note=note, created_at=self._now()
        )
        return VersionRecord(version, edit_count)

    def _manifest_lines(self, version: DatasetVersion) -> Iterator[dict[str, Any]]:
        with self._objects.open(version.manifest) as manifest:
            manifest.readline()
            for line in manifest:
                yield json.loads(line)


def _manifest_entry(item: DatasetItem) -> dict[str, Any]:
    return {
        "item_id": item.id,
        "revision": item.revision,
        "split": item.split,
        "name": item.name,
        "image": item.image,
        "width": item.width,
        "height": item.height,
    }


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
