"""Documents that the scripts of a project keep. Every method takes the project from the run's token, not from them."""

from collections.abc import Callable

from backend.contracts.project_data import (
    DocumentChange,
    DocumentCount,
    DocumentDelete,
    DocumentFind,
    DocumentInsert,
    DocumentPage,
    DocumentReplace,
    DocumentUpdate,
)
from backend.domain.document_rules import (
    check_document_size,
    checked_collection,
    checked_document,
    is_equalities_only,
    mongo_filter,
    mongo_sort,
    mongo_update,
)
from backend.domain.errors import InvalidInputError, TooLargeError
from backend.services.project_quota import ProjectQuota
from backend.stores.mongo.project_document_store import Fields, ProjectDocumentStore, grown_bytes, stored_bytes

OVERHEAD_BYTES = 512
"""Of a stored document beside its body: ids, names, its envelope."""


class ProjectDocuments:
    """Filters and updates are an allow-list (backend/domain/document_rules.py)."""

    def __init__(self, documents: ProjectDocumentStore, quota: ProjectQuota, new_id: Callable[[], str]) -> None:
        self._documents = documents
        self._quota = quota
        self._new_id = new_id

    def collections(self, project_id: str) -> list[str]:
        """Names of the collections that hold something."""
        return self._documents.collections(project_id)

    def insert(self, project_id: str, collection: str, asked: DocumentInsert) -> DocumentChange:
        """Add documents. Raises ConflictError('document_exists'); those before the refused one are kept."""
        checked_collection(collection)
        rows, size_bytes = [], 0
        for document in asked.documents:
            document_id, body = checked_document(document)
            check_document_size(stored_bytes(body))
            size_bytes += stored_bytes(body) + OVERHEAD_BYTES
            rows.append((document_id or self._new_id(), body))
        with self._quota.room_for(project_id, len(rows), size_bytes):
            self._documents.insert(project_id, collection, rows)
        return DocumentChange(count=len(rows), ids=tuple(document_id for document_id, _ in rows))

    def find(self, project_id: str, collection: str, asked: DocumentFind) -> DocumentPage:
        """A page of matches."""
        condition, sort = mongo_filter(asked.filter), mongo_sort(asked.sort)
        collection = checked_collection(collection)
        found, has_more = self._documents.find(project_id, collection, condition, sort, asked.offset, asked.limit)
        return DocumentPage(documents=tuple(found), next_offset=asked.offset + len(found) if has_more else None)

    def count(self, project_id: str, collection: str, asked: DocumentCount) -> DocumentChange:
        """How many match."""
        count = self._documents.count(project_id, checked_collection(collection), mongo_filter(asked.filter))
        return DocumentChange(count=count)

    def update(self, project_id: str, collection: str, asked: DocumentUpdate) -> DocumentChange:
        """Change matches. Raises InvalidInputError('update_refused'), TooLargeError; `is_many` may stop half-way."""
        return self._change(
            project_id, collection, asked.filter, mongo_update(asked.update), asked.upsert, asked.is_many
        )

    def replace(self, project_id: str, collection: str, asked: DocumentReplace) -> DocumentChange:
        """Put a document in the place of the first match, or add it."""
        document_id, body = checked_document(asked.document)
        if document_id is not None and asked.filter.get("_id") != document_id:
            raise InvalidInputError("update_refused", detail="the _id of the document must be that of the filter")
        check_document_size(stored_bytes(body))
        collection = checked_collection(collection)
        condition = mongo_filter(asked.filter)
        size_bytes = stored_bytes(body) + OVERHEAD_BYTES
        if asked.upsert:
            _check_upsert(asked.filter)
        with self._quota.room_for(project_id, int(asked.upsert), size_bytes):
            # Not MongoDB's upsert: it would mix the fields of the filter into a body that is given whole.
            count, _ = self._documents.update(project_id, collection, condition, {"$set": {"body": body}}, False, None)
            if count or not asked.upsert:
                return DocumentChange(count=count)
            new_id = document_id or asked.filter.get("_id") or self._new_id()
            self._documents.insert(project_id, collection, [(new_id, body)])
        return DocumentChange(count=0, ids=(new_id,))

    def delete(self, project_id: str, collection: str, asked: DocumentDelete) -> DocumentChange:
        """Delete matches."""
        condition = mongo_filter(asked.filter)
        with self._quota.less(project_id):
            count = self._documents.delete(project_id, checked_collection(collection), condition, asked.is_many)
        return DocumentChange(count=count)

    def remove_project(self, project_id: str) -> None:
        """Delete everything of a project."""
        with self._quota.less(project_id):
            self._documents.remove_project(project_id)

    def _change(
        self, project_id: str, collection: str, asked: Fields, update: Fields, upsert: bool, is_many: bool
    ) -> DocumentChange:
        condition = mongo_filter(asked)
        collection = checked_collection(collection)
        if upsert:
            _check_upsert(asked)
        growth = grown_bytes({"update": update, "condition": condition} if upsert else update)
        count = self._documents.count(project_id, collection, condition, limit=0 if is_many else 1)
        is_new = upsert and count == 0
        with self._quota.room_for(project_id, int(is_new), growth * max(1, count) + OVERHEAD_BYTES * is_new):
            if self._documents.has_match_larger_than(project_id, collection, condition, growth):
                raise TooLargeError("document_too_large", limit_kb=1024)
            count, added = self._documents.update(
                project_id, collection, condition, update, is_many, self._new_id() if upsert else None
            )
        return DocumentChange(count=count, ids=(added,) if added else ())


def _check_upsert(asked: Fields) -> None:
    if not is_equalities_only(asked):
        raise InvalidInputError("filter_invalid", detail="with upsert a filter names fields and values only")
