"""Messages of the information field, in chunks: one document per level of a batch."""

from collections.abc import Sequence
from heapq import heappush, heappushpop
from operator import itemgetter
from typing import Any

from pymongo import DESCENDING, ReplaceOne
from pymongo.database import Database

from backend.contracts.base import Reason
from backend.contracts.reports import Message, MessageLevel
from backend.domain.event_lines import TimedText
from backend.stores.mongo.driver_errors import translates_driver_errors


@translates_driver_errors
class RunMessageStore:
    """A chunk's id is where it stood in the event file, so storing it again replaces it by itself."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._chunks = database["run_messages"]

    def put(self, run_id: str, file: str, offset: int, by_level: dict[MessageLevel, list[TimedText]]) -> None:
        """Store the messages that one batch brought."""
        if by_level:
            documents = (_to_document(run_id, f"{file}:{offset}", *leveled) for leveled in by_level.items())
            self._chunks.bulk_write([ReplaceOne({"_id": d["_id"]}, d, upsert=True) for d in documents], ordered=False)

    def put_own(self, run_id: str, key: str, message: Message) -> bool:
        """Store a message of the workstation itself; the same `key` again replaces it. True when it is new."""
        document = _to_document(run_id, f"own:{key}", message.level, [TimedText(message.time, message.text)])
        document["reason"] = None if message.reason is None else message.reason.model_dump()
        result = self._chunks.replace_one({"_id": document["_id"]}, document, upsert=True)
        return result.upserted_id is not None

    def newest(self, run_id: str, levels: Sequence[MessageLevel], limit: int) -> list[Message]:
        """The newest `limit` messages of these levels, oldest first."""
        query = {"run_id": run_id, "level": {"$in": list(levels)}}
        # A heap of (time, number of the chunk, place in it, chunk), the oldest first.
        kept: list[tuple[float, int, int, dict[str, Any]]] = []
        # Each chunk holds a message at its `time`, so one after the first `limit` chunks can hold none of the newest.
        for number, chunk in enumerate(self._chunks.find(query).sort("time", DESCENDING).limit(limit)):
            # Chunks of several files overlap in time: go on until no older chunk can hold a newer message.
            if len(kept) == limit and chunk["time"] < kept[0][0]:
                break
            for place, (time, _) in enumerate(chunk["messages"]):
                entry = (time, number, place, chunk)
                if len(kept) < limit:
                    heappush(kept, entry)
                else:
                    heappushpop(kept, entry)
        return [_message(chunk, place) for _, _, place, chunk in sorted(kept, key=itemgetter(0, 1, 2))]

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        self._chunks.delete_many({"run_id": run_id})


def _to_document(run_id: str, key: str, level: MessageLevel, messages: list[TimedText]) -> dict[str, Any]:
    return {
        "_id": f"{run_id}:{key}:{level}",
        "run_id": run_id,
        "level": level,
        "time": max(message.time for message in messages),
        "messages": [[message.time, message.text] for message in messages],
    }


def _message(chunk: dict[str, Any], place: int) -> Message:
    (time, text), reason = chunk["messages"][place], chunk.get("reason")
    return Message(time=time, level=chunk["level"], text=text, reason=Reason(**reason) if reason else None)
