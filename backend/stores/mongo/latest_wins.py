"""Writes documents of which the latest wins, whatever the order in which the writes arrive."""

from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

DUPLICATE_KEY = 11000


def write_latest(collection: Collection[dict[str, Any]], updates: list[UpdateOne]) -> None:
    """Run upserts of the form `{_id, time: {$lte: mine}}`.

    Where a later document is already there the condition fails, the upsert tries to insert, and MongoDB answers with a
    duplicate key: exactly then there is nothing to do.
    """
    if not updates:
        return
    try:
        collection.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        if any(fault["code"] != DUPLICATE_KEY for fault in error.details["writeErrors"]):
            raise
