"""MongoAPI: JSON documents that all runs of a project share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PlatformAPI import stores

PAGE = 500
INSERT_BATCH = 200
INSERT_BYTES = 4 << 20
Document = dict[str, Any]


class MongoAPI:
    """Documents in named collections of this project; other projects do not see them.

    A document is a JSON object; its `_id` is a text. Filters and updates are those of MongoDB as far as docs/sdk.md
    lists them. Every method raises StoreError for what is refused, StoreAwayError when the workstation is away.
    """

    def __init__(self) -> None:
        self._socket = stores.api_socket()
        if self._socket is None:
            from PlatformAPI.local_documents import LocalDocuments

            self._local = LocalDocuments(stores.local_dir() / "documents.sqlite3")

    def insert_one(self, collection: str, document: Mapping[str, Any]) -> str:
        """Add a document; the answer is its `_id`, made up where it has none. An `_id` that exists is refused."""
        return self.insert_many(collection, [document])[0]

    def insert_many(self, collection: str, documents: Sequence[Mapping[str, Any]]) -> list[str]:
        """Add documents; the answer is their ids. Those before a refused one stay."""
        ids: list[str] = []
        for batch in _batches(collection, documents):
            ids += self._ask(collection, "insert", documents=batch)["ids"]
        return ids

    def find(
        self,
        collection: str,
        filter: Mapping[str, Any] | None = None,  # noqa: A002  # pymongo's name
        sort: Sequence[tuple[str, int]] = (),
        limit: int | None = None,
    ) -> Iterator[Document]:
        """Matching documents, fetched in pages while they are used. `sort` is (field, 1 or -1) pairs, then `_id`."""
        order = [[field, way] for field, way in sort]
        asked, offset, left = filter or {}, 0, limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self._ask(collection, "find", filter=asked, sort=order, offset=offset, limit=size)
            yield from page["documents"]
            if page["next_offset"] is None:
                return
            left = None if left is None else left - len(page["documents"])
            if order:
                offset = page["next_offset"]
            else:  # What others add or delete meanwhile moves nothing.
                asked = {"$and": [filter or {}, {"_id": {"$gt": page["documents"][-1]["_id"]}}]}

    def find_one(self, collection: str, filter: Mapping[str, Any] | None = None) -> Document | None:  # noqa: A002
        """The first match by `_id`, or None."""
        return next(self.find(collection, filter, limit=1), None)

    def count_documents(self, collection: str, filter: Mapping[str, Any] | None = None) -> int:  # noqa: A002
        """How many match."""
        return int(self._ask(collection, "count", filter=filter or {})["count"])

    def update_one(
        self,
        collection: str,
        filter: Mapping[str, Any],  # noqa: A002
        update: Mapping[str, Any],
        upsert: bool = False,
    ) -> int:
        """Change one match in one step; the answer is how many matched. `upsert`: add what filter and update say."""
        return int(self._ask(collection, "update", filter=filter, update=update, upsert=upsert)["count"])

    def update_many(self, collection: str, filter: Mapping[str, Any], update: Mapping[str, Any]) -> int:  # noqa: A002
        """Change every match, each in one step; the answer is how many matched."""
        return int(self._ask(collection, "update", filter=filter, update=update, is_many=True)["count"])

    def replace_one(
        self,
        collection: str,
        filter: Mapping[str, Any],  # noqa: A002
        document: Mapping[str, Any],
        upsert: bool = False,
    ) -> int:
        """Put `document` in the place of one match, whose `_id` it keeps; the answer is how many matched."""
        return int(self._ask(collection, "replace", filter=filter, document=document, upsert=upsert)["count"])

    def delete_one(self, collection: str, filter: Mapping[str, Any]) -> int:  # noqa: A002
        """Delete one match; the answer is how many were deleted."""
        return int(self._ask(collection, "delete", filter=filter)["count"])

    def delete_many(self, collection: str, filter: Mapping[str, Any]) -> int:  # noqa: A002
        """Delete every match, `{}` all; the answer is how many were deleted."""
        return int(self._ask(collection, "delete", filter=filter, is_many=True)["count"])

    def list_collection_names(self) -> list[str]:
        """Collections that hold something."""
        if self._socket is None:
            return self._local.collections()
        return list(self._socket.ask_query("GET", "/documents"))

    def _ask(self, collection: str, command: str, **body: Any) -> Any:
        from PlatformAPI.store_values import checked_collection, packed, unpacked

        content = packed(body, f"{checked_collection(collection)}, {command}")
        if self._socket is None:
            return self._local.ask(collection, command, unpacked(content))
        return self._socket.ask(f"/documents/{collection}/{command}", content)


def _batches(collection: str, documents: Sequence[Mapping[str, Any]]) -> Iterator[list[Document]]:
    from PlatformAPI.store_values import packed

    batch: list[Document] = []
    size_bytes = 0
    for document in documents:
        weight = len(packed(document, f"{collection}, insert"))
        if batch and (len(batch) == INSERT_BATCH or size_bytes + weight > INSERT_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(dict(document))
        size_bytes += weight
    if batch:
        yield batch
