"""Documents that scripts keep for their project: one collection for all, every query bounded by project and name."""

from typing import Any

import bson
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, ExecutionTimeout, OperationFailure

from backend.domain.document_rules import MAX_DOCUMENT_BYTES
from backend.domain.errors import ConflictError, InvalidInputError
from backend.stores.mongo.driver_errors import translates_driver_errors

PATIENCE_MS = 5000
PAGE_BYTES = 8 << 20
Fields = dict[str, Any]


@translates_driver_errors
class ProjectDocumentStore:
    """Filters, updates and sorts come from backend/domain/document_rules.py.

    Raises InvalidInputError('query_too_slow' or 'update_refused') for what MongoDB gives up or refuses.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._documents = database["project_documents"]

    def insert(self, project_id: str, collection: str, documents: list[tuple[str, Fields]]) -> None:
        """Add documents by id. Raises ConflictError('document_exists'); those before the refused one are kept."""
        space = {"project_id": project_id, "collection": collection}
        rows = [{**space, "document_id": document_id, "body": body} for document_id, body in documents]
        try:
            self._documents.insert_many(rows)
        except BulkWriteError as error:
            fault = error.details["writeErrors"][0]
            if fault["code"] == 11000:
                raise ConflictError("document_exists", id=documents[fault["index"]][0]) from None
            raise

    def find(
        self, project_id: str, collection: str, condition: Fields, sort: list[Any], offset: int, limit: int
    ) -> tuple[list[Fields], bool]:
        """A page, cut at 8 MiB, and whether there is more behind it."""
        query = self._within(project_id, collection, condition)
        found: list[Fields] = []
        size_bytes = 0
        try:
            cursor = self._documents.find(query, max_time_ms=PATIENCE_MS, batch_size=100)
            for document in cursor.sort(sort).skip(offset).limit(limit + 1):
                size_bytes += len(bson.encode(document))
                if len(found) == limit or (found and size_bytes > PAGE_BYTES):
                    return found, True
                found.append({"_id": document["document_id"], **document.get("body", {})})
        except OperationFailure as error:
            raise _refusal(error) from error
        return found, False

    def count(self, project_id: str, collection: str, condition: Fields, limit: int = 0) -> int:
        """How many match."""
        options: Fields = {"maxTimeMS": PATIENCE_MS} | ({"limit": limit} if limit else {})
        try:
            return self._documents.count_documents(self._within(project_id, collection, condition), **options)
        except OperationFailure as error:
            raise _refusal(error) from error

    def has_match_larger_than(self, project_id: str, collection: str, condition: Fields, size_bytes: int) -> bool:
        """Whether a match has less room than that below the limit of one document."""
        room = {"$expr": {"$gt": [{"$bsonSize": "$$ROOT"}, MAX_DOCUMENT_BYTES - size_bytes]}}
        return self.count(project_id, collection, {"$and": [condition, room]}, limit=1) > 0

    def update(
        self, project_id: str, collection: str, condition: Fields, update: Fields, is_many: bool, new_id: str | None
    ) -> tuple[int, str | None]:
        """Change the first match or all; `new_id` adds a document where none matches. How many matched, id added."""
        query = self._within(project_id, collection, condition)
        if new_id is not None:
            # An id that the filter asks for is put into the new document by MongoDB itself.
            wanted = condition.get("document_id")
            new_id = wanted["$eq"] if wanted else new_id
            update = update if wanted else {**update, "$setOnInsert": {"document_id": new_id}}
        change = self._documents.update_many if is_many else self._documents.update_one
        try:
            result = change(query, update, upsert=new_id is not None)
        except DuplicateKeyError as error:
            raise ConflictError("document_exists", id=new_id) from error
        except OperationFailure as error:
            raise _refusal(error) from error
        return result.matched_count, new_id if result.upserted_id is not None else None

    def delete(self, project_id: str, collection: str, condition: Fields, is_many: bool) -> int:
        """Delete the first match or all; how many that were."""
        query = self._within(project_id, collection, condition)
        try:
            result = self._documents.delete_many(query) if is_many else self._documents.delete_one(query)
        except OperationFailure as error:
            raise _refusal(error) from error
        return result.deleted_count

    def collections(self, project_id: str) -> list[str]:
        """Names of the collections that hold something."""
        return sorted(self._documents.distinct("collection", {"project_id": project_id}))

    def usage(self, project_id: str) -> tuple[int, int]:
        """Documents of a project and their bytes."""
        size = {"$group": {"_id": None, "count": {"$sum": 1}, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
        found = next(iter(self._documents.aggregate([{"$match": {"project_id": project_id}}, size])), None)
        return (0, 0) if found is None else (int(found["count"]), int(found["bytes"]))

    def remove_project(self, project_id: str) -> None:
        """Delete everything of a project."""
        self._documents.delete_many({"project_id": project_id})

    @staticmethod
    def _within(project_id: str, collection: str, condition: Fields) -> Fields:
        return {"project_id": project_id, "collection": collection, "$and": [condition]}


def grown_bytes(value: Fields) -> int:
    """A bound on the bytes that documents grow by when an update with these values, or a body, is applied once.

    An element may cost more there than here: its place in the longer list is written out, and a sum may need 8 bytes.
    """
    return len(bson.encode(value)) + 16 * _count_nodes(value) + 64


def _count_nodes(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_count_nodes(part) for part in inner)


def stored_bytes(body: Fields) -> int:
    """Bytes of a document's body as MongoDB keeps it."""
    return len(bson.encode(body))


def _refusal(error: OperationFailure) -> InvalidInputError | OperationFailure:
    if isinstance(error, ExecutionTimeout):
        return InvalidInputError("query_too_slow", limit_s=PATIENCE_MS // 1000)
    # Codes of a fault in the update itself: what MongoDB could not do for another reason is the store's trouble.
    if error.code in (2, 9, 14, 16, 28, 40, 66, 96, 17419, 17280, 292):
        return InvalidInputError("update_refused", detail=str(error.details and error.details.get("errmsg"))[:300])
    return error
