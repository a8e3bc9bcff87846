"""Images of datasets with their current markup, and every state that the markup ever had."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.contracts.datasets import SPLITS, DatasetItem, ItemRevision, Split
from backend.contracts.markup import Markup
from backend.domain.errors import ConflictError, NotFoundError
from backend.domain.markup_rules import box_count_of, class_names_of
from backend.stores.mongo.driver_errors import translates_driver_errors

ORDER = [("split_order", ASCENDING), ("name", ASCENDING)]
# A kilobyte that only the search for near copies reads.
SHOWN = {"thumbnail": 0}


@dataclass
class Edits:
    """What was changed since the import: number of saved revisions, and boxes gained or lost per split."""

    count: int = 0
    box_deltas: dict[Split, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ItemLook:
    """What the search for near copies needs of an item; `thumbnail` is None where it was never made."""

    id: str
    split: Split
    name: str
    image: str
    thumbnail: bytes | None


@translates_driver_errors
class ItemStore:
    """A revision is written before the item that shows it, so a version can always find the markup that it names."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._items = database["items"]
        self._revisions = database["item_revisions"]

    def insert_imported(self, items: Sequence[DatasetItem], thumbnails: Mapping[str, bytes]) -> None:
        """Insert new items at revision 1, with the grey thumbnails (by item id) that near copies are found by."""
        self._revisions.insert_many([_revision_document(i, 1, i.markup, "import", i.updated_at) for i in items])
        self._items.insert_many([{**_to_document(i), "thumbnail": thumbnails.get(i.id)} for i in items])

    def get(self, item_id: str) -> DatasetItem:
        """One item. Raises NotFoundError."""
        document = self._items.find_one({"_id": item_id}, SHOWN)
        if document is None:
            raise NotFoundError("item_not_found", id=item_id)
        return _from_document(document)

    def page(
        self, dataset_id: str, split: Split | None, class_name: str | None, offset: int, limit: int
    ) -> tuple[list[DatasetItem], int]:
        """Items ordered by split and name, and how many match in all."""
        query: dict[str, Any] = {"dataset_id": dataset_id}
        if split is not None:
            query["split_order"] = SPLITS.index(split)
        if class_name is not None:
            query["classes"] = class_name
        found = self._items.find(query, SHOWN).sort(ORDER).skip(offset).limit(limit)
        return [_from_document(document) for document in found], self._items.count_documents(query)

    def batches(self, dataset_id: str, size: int) -> Iterator[list[DatasetItem]]:
        """All items in order, `size` at a time: a whole dataset in flat memory."""
        last: DatasetItem | None = None
        while batch := self._batch_after(dataset_id, last, size):
            yield batch
            last = batch[-1]

    def _batch_after(self, dataset_id: str, last: DatasetItem | None, limit: int) -> list[DatasetItem]:
        query: dict[str, Any] = {"dataset_id": dataset_id}
        if last is not None:
            order = SPLITS.index(last.split)
            query["$or"] = [
                {"split_order": order, "name": {"$gt": last.name}},
                {"split_order": {"$gt": order}},
            ]
        return [_from_document(document) for document in self._items.find(query, SHOWN).sort(ORDER).limit(limit)]

    def save_markup(self, item: DatasetItem, markup: Markup, source: str, now: datetime) -> DatasetItem:
        """Save the next revision of `item` as the user saw it. Raises ConflictError when somebody was faster."""
        number = item.revision + 1
        try:
            self._revisions.insert_one(_revision_document(item, number, markup, source, now))
        except DuplicateKeyError:
            # The other save may have died between its two writes: finish it, or nobody could ever save again.
            other = self._revisions.find_one({"_id": _revision_id(item.id, number)})
            if other is not None:
                self._show_revision(item, number, Markup.model_validate(other["markup"]), other["created_at"])
            raise ConflictError("markup_outdated", base=item.revision, current=self.get(item.id).revision) from None
        self._show_revision(item, number, markup, now)
        return item.model_copy(update={"revision": number, "markup": markup, "updated_at": now})

    def revisions(self, item_id: str) -> list[ItemRevision]:
        """Every saved state of an item, oldest first."""
        found = self._revisions.find({"item_id": item_id}).sort("revision", ASCENDING)
        return [_revision_from_document(document) for document in found]

    def markups(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Markup]:
        """Markup of (item id, revision) pairs. Raises NotFoundError when one is missing."""
        ids = [_revision_id(item_id, revision) for item_id, revision in keys]
        found = self._revisions.find({"_id": {"$in": ids}}, {"item_id": 1, "revision": 1, "markup": 1})
        markups = {(d["item_id"], d["revision"]): Markup.model_validate(d["markup"]) for d in found}
        for key in keys:
            if key not in markups:
                raise NotFoundError("item_revision_not_found", id=key[0], revision=key[1])
        return markups

    def edits(self, dataset_ids: Sequence[str]) -> dict[str, Edits]:
        """Edits of each dataset, read from the edited items alone (an index holds all that is needed)."""
        edits = {dataset_id: Edits() for dataset_id in dataset_ids}
        stages = [
            {"$match": {"dataset_id": {"$in": list(dataset_ids)}, "revision": {"$gt": 1}}},
            {
                "$group": {
                    "_id": {"dataset_id": "$dataset_id", "split_order": "$split_order"},
                    "count": {"$sum": {"$subtract": ["$revision", 1]}},
                    "boxes": {"$sum": {"$subtract": ["$box_count", "$imported_box_count"]}},
                }
            },
        ]
        for group in self._items.aggregate(stages):
            found = edits[group["_id"]["dataset_id"]]
            found.count += group["count"]
            found.box_deltas[SPLITS[group["_id"]["split_order"]]] = group["boxes"]
        return edits

    def images(self, dataset_id: str) -> Iterator[str]:
        """Hashes of a dataset's images."""
        for document in self._items.find({"dataset_id": dataset_id}, {"image": 1}):
            yield document["image"]

    def count(self, dataset_id: str) -> int:
        """How many items a dataset has."""
        return self._items.count_documents({"dataset_id": dataset_id})

    def looks(self, dataset_id: str) -> Iterator[ItemLook]:
        """Every item as the search for near copies sees it, ordered by split and name."""
        fields = {"split_order": 1, "name": 1, "image": 1, "thumbnail": 1}
        for document in self._items.find({"dataset_id": dataset_id}, fields).sort(ORDER):
            split = SPLITS[document["split_order"]]
            yield ItemLook(document["_id"], split, document["name"], document["image"], document.get("thumbnail"))

    def thumbnails(self, item_ids: Sequence[str]) -> dict[str, bytes]:
        """Grey thumbnails by item id, where they were made."""
        found = self._items.find({"_id": {"$in": list(item_ids)}, "thumbnail": {"$ne": None}}, {"thumbnail": 1})
        return {document["_id"]: document["thumbnail"] for document in found}

    def keep_thumbnails(self, thumbnails: Mapping[str, bytes]) -> None:
        """Keep thumbnails, by item id, that were made after the import."""
        if thumbnails:
            changes = [UpdateOne({"_id": key}, {"$set": {"thumbnail": one}}) for key, one in thumbnails.items()]
            self._items.bulk_write(changes, ordered=False)

    def remove_dataset(self, dataset_id: str) -> None:
        """Delete every item and revision of a dataset."""
        self._items.delete_many({"dataset_id": dataset_id})
        self._revisions.delete_many({"dataset_id": dataset_id})

    def _show_revision(self, item: DatasetItem, number: int, markup: Markup, now: datetime) -> None:
        self._items.update_one({"_id": item.id, "revision": number - 1}, {"$set": _shown(number, markup, now)})


def _shown(revision: int, markup: Markup, now: datetime) -> dict[str, Any]:
    return {
        "revision": revision,
        "markup": _markup_document(markup),
        "classes": class_names_of(markup),
        "box_count": box_count_of(markup),
        "updated_at": now,
    }


def _to_document(item: DatasetItem) -> dict[str, Any]:
    return {
        "_id": item.id,
        "dataset_id": item.dataset_id,
        "split_order": SPLITS.index(item.split),
        "name": item.name,
        "image": item.image,
        "width": item.width,
        "height": item.height,
        "size_bytes": item.size_bytes,
        "imported_box_count": box_count_of(item.markup),
        **_shown(item.revision, item.markup, item.updated_at),
    }


def _from_document(document: dict[str, Any]) -> DatasetItem:
    return DatasetItem(
        id=document["_id"],
        dataset_id=document["dataset_id"],
        split=SPLITS[document["split_order"]],
        name=document["name"],
        image=document["image"],
        width=document["width"],
        height=document["height"],
        size_bytes=document["size_bytes"],
        revision=document["revision"],
        markup=Markup.model_validate(document["markup"]),
        updated_at=document["updated_at"],
    )


def _markup_document(markup: Markup) -> dict[str, Any]:
    return markup.model_dump(mode="json", by_alias=True, exclude_none=True)


def _revision_id(item_id: str, revision: int) -> str:
    return f"{item_id}:{revision}"


def _revision_document(item: DatasetItem, revision: int, markup: Markup, source: str, now: datetime) -> dict[str, Any]:
    return {
        "_id": _revision_id(item.id, revision),
        "item_id": item.id,
        "dataset_id": item.dataset_id,
        "revision": revision,
        "markup": _markup_document(markup),
        "source": source,
        "created_at": now,
    }


def _revision_from_document(document: dict[str, Any]) -> ItemRevision:
    return ItemRevision(
        item_id=document["item_id"],
        revision=document["revision"],
        markup=Markup.model_validate(document["markup"]),
        source=document["source"],
        created_at=document["created_at"],
    )
