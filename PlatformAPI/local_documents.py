"""The documents of a script that runs alone, in one SQLite file; answers as the workstation does, without quotas."""

import json
import sqlite3
import uuid
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from PlatformAPI.document_matching import Json, check_update, check_value, matches, ordered, updated
from PlatformAPI.errors import StoreError
from PlatformAPI.sqlite_transaction import transaction

TABLE = "documents (collection TEXT, id TEXT, body TEXT, PRIMARY KEY (collection, id))"
MAX_DOCUMENT_BYTES = 1 << 20
MAX_ID_CHARS = 200


class LocalDocuments:
    """A connection per call: safe in threads and after a fork. Every call is one transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, collection: str, command: str, body: Json) -> Json:
        """Answer a call as /documents/{collection}/{command} does."""
        answer: Json = getattr(self, f"_{command}")(collection, **body)
        return answer

    def collections(self) -> list[str]:
        """Names of the collections that hold something."""
        with self._open() as database:
            return [name for (name,) in database.execute("SELECT DISTINCT collection FROM documents ORDER BY 1")]

    def _insert(self, collection: str, documents: list[Json]) -> Json:
        ids: list[str] = []
        refusal = None
        with self._open() as database:
            for document_id, body in [_checked(document) for document in documents]:
                try:
                    ids.append(_insert(database, collection, document_id or _new_id(), body))
                except StoreError as error:  # Those before it stay.
                    refusal = error
                    break
        if refusal is not None:
            raise refusal
        return {"count": len(ids), "ids": ids}

    def _find(self, collection: str, filter: Json, sort: list[Any], offset: int, limit: int) -> Json:  # noqa: A002
        with self._open() as database:
            found = ordered(_found(database, collection, filter), [(str(path), int(way)) for path, way in sort])
        end = offset + limit
        return {"documents": found[offset:end], "next_offset": end if end < len(found) else None}

    def _count(self, collection: str, filter: Json) -> Json:  # noqa: A002
        with self._open() as database:
            return {"count": len(_found(database, collection, filter))}

    def _update(
        self,
        collection: str,
        filter: Json,  # noqa: A002
        update: Json,
        is_many: bool = False,
        upsert: bool = False,
    ) -> Json:
        if upsert:
            _check_upsert(filter)
        check_update(update)
        with self._open() as database:
            found = _found(database, collection, filter)
            for document in found if is_many else found[:1]:
                _write(database, collection, updated(document, update))
            if found or not upsert:
                return {"count": len(found) if is_many else min(1, len(found)), "ids": []}
            document_id, body = _checked(updated(_made_of(filter), update))
            return {"count": 0, "ids": [_insert(database, collection, document_id or _new_id(), body)]}

    def _replace(self, collection: str, filter: Json, document: Json, upsert: bool = False) -> Json:  # noqa: A002
        if upsert:
            _check_upsert(filter)
        document_id, body = _checked(document)
        if document_id is not None and filter.get("_id") != document_id:
            raise StoreError("update_refused", "the _id of the document must be that of the filter")
        with self._open() as database:
            found = _found(database, collection, filter)
            if found:
                _write(database, collection, {**body, "_id": found[0]["_id"]})
            elif upsert:
                new_id = document_id or filter.get("_id") or _new_id()
                return {"count": 0, "ids": [_insert(database, collection, new_id, body)]}
            return {"count": min(1, len(found)), "ids": []}

    def _delete(self, collection: str, filter: Json, is_many: bool = False) -> Json:  # noqa: A002
        with self._open() as database:
            found = _found(database, collection, filter)
            gone = [document["_id"] for document in (found if is_many else found[:1])]
            database.executemany(
                "DELETE FROM documents WHERE collection = ? AND id = ?", [(collection, name) for name in gone]
            )
            return {"count": len(gone), "ids": []}

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._path, TABLE)


def _found(database: sqlite3.Connection, collection: str, asked: Json) -> list[Json]:
    """Matches in the order of their ids. The filter is looked at even when there is nothing to match."""
    matches({}, asked)
    rows = database.execute("SELECT id, body FROM documents WHERE collection = ? ORDER BY id", (collection,))
    documents = ({"_id": document_id, **json.loads(body)} for document_id, body in rows)
    return [document for document in documents if matches(document, asked)]


def _insert(database: sqlite3.Connection, collection: str, document_id: str, body: Json) -> str:
    try:
        database.execute("INSERT INTO documents VALUES (?, ?, ?)", (collection, document_id, _text(body)))
    except sqlite3.IntegrityError:
        raise StoreError("document_exists", f"there is already a document with the _id {document_id!r}") from None
    return document_id


def _write(database: sqlite3.Connection, collection: str, document: Json) -> None:
    document_id, body = _checked(document)
    database.execute(
        "UPDATE documents SET body = ? WHERE collection = ? AND id = ?", (_text(body), collection, document_id)
    )


def _checked(document: Json) -> tuple[str | None, Json]:
    body = {key: value for key, value in document.items() if key != "_id"}
    check_value(body)
    if len(_text(body).encode()) > MAX_DOCUMENT_BYTES:
        raise StoreError("document_too_large", f"the document is larger than {MAX_DOCUMENT_BYTES >> 10} KB")
    if "_id" not in document:
        return None, body
    document_id = document["_id"]
    if not isinstance(document_id, str) or not 0 < len(document_id) <= MAX_ID_CHARS or "\0" in document_id:
        raise StoreError("document_id_invalid", f"_id is {document_id!r}, which is no text of 1 to {MAX_ID_CHARS}")
    return document_id, body


def _check_upsert(asked: Json) -> None:
    for key, value in asked.items():
        if key.startswith("$") or (isinstance(value, dict) and any(name.startswith("$") for name in value)):
            raise StoreError("filter_invalid", "with upsert a filter names fields and values only")


def _made_of(asked: Json) -> Json:
    fields = {path: value for path, value in asked.items() if path != "_id"}
    made = updated({}, {"$set": fields}) if fields else {}
    return {**made, "_id": asked["_id"]} if "_id" in asked else made


def _text(body: Json) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _new_id() -> str:
    return uuid.uuid4().hex[:16]
