"""The keys of a script that runs alone, in one SQLite file; answers as the workstation does, without its quotas."""

import json
import math
import sqlite3
import time
from pathlib import Path
from typing import Any

from PlatformAPI.errors import StoreError
from PlatformAPI.sqlite_transaction import transaction

TABLE = "keys (name TEXT PRIMARY KEY, value TEXT, is_list INTEGER, ends_at REAL)"
MAX_KEY_CHARS = 200
MAX_TTL_S = 30 * 24 * 3600
MAX_VALUE_BYTES = 1 << 20
MISSING = {"value": None, "is_found": False}


class LocalKeys:
    """A connection per call: safe in threads and after a fork. Every call is one transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, command: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a call as /keys/{command} does."""
        key = body.get("key")
        if key is not None and (not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_CHARS or not key.isprintable()):
            raise StoreError("key_invalid", f"{key!r} can not be a key: use 1 to {MAX_KEY_CHARS} printable characters")
        with transaction(self._path, TABLE) as database:
            database.execute("DELETE FROM keys WHERE ends_at <= ?", (time.time(),))
            answer = getattr(self, f"_{command}")(database, **body)
        return answer if isinstance(answer, dict) else {"value": answer, "is_found": True}

    def _set(
        self, database: sqlite3.Connection, key: str, value: Any, ttl_s: float | None, only_if_absent: bool
    ) -> bool:
        ends_at = _end(ttl_s)
        if only_if_absent and _row(database, key) is not None:
            return False
        _write(database, key, _text(value), is_list=False, ends_at=ends_at)
        return True

    def _get(self, database: sqlite3.Connection, key: str) -> Any:
        row = _row(database, key, is_list=False)
        return MISSING if row is None else {"value": json.loads(row[0]), "is_found": True}

    def _incr(self, database: sqlite3.Connection, key: str, by: int) -> int:
        row = _row(database, key, is_list=False)
        old = 0 if row is None else json.loads(row[0])
        total = old + by if isinstance(old, int) and not isinstance(old, bool) else None
        if total is None or not -(2**63) <= total < 2**63:
            raise StoreError(
                "key_not_whole", f"{key!r} does not hold a whole number of 64 bits, or would not any longer"
            )
        _write(database, key, str(total), is_list=False, ends_at=_end(None) if row is None else row[2])
        return total

    def _expire(self, database: sqlite3.Connection, key: str, ttl_s: float) -> bool:
        ends_at = _end(ttl_s)
        return database.execute("UPDATE keys SET ends_at = ? WHERE name = ?", (ends_at, key)).rowcount == 1

    def _ttl(self, database: sqlite3.Connection, key: str) -> Any:
        row = _row(database, key)
        return MISSING if row is None else row[2] - time.time()

    def _delete(self, database: sqlite3.Connection, key: str) -> bool:
        return database.execute("DELETE FROM keys WHERE name = ?", (key,)).rowcount == 1

    def _keys(self, database: sqlite3.Connection, prefix: str) -> list[str]:
        names = [name for (name,) in database.execute("SELECT name FROM keys")]
        return sorted(name for name in names if name.startswith(prefix))

    def _push(self, database: sqlite3.Connection, key: str, values: list[Any]) -> int:
        row = _row(database, key, is_list=True)
        for value in values:
            _text(value)
        found = [*([] if row is None else json.loads(row[0])), *values]
        _write(database, key, json.dumps(found), is_list=True, ends_at=_end(None) if row is None else row[2])
        return len(found)

    def _pop(self, database: sqlite3.Connection, key: str, is_first: bool) -> Any:
        row = _row(database, key, is_list=True)
        if row is None:
            return MISSING
        found = json.loads(row[0])
        value = found.pop(0 if is_first else -1)
        if found:
            _write(database, key, json.dumps(found), is_list=True, ends_at=row[2])
        else:
            self._delete(database, key)
        return {"value": value, "is_found": True}

    def _list(self, database: sqlite3.Connection, key: str, start: int, stop: int) -> list[Any]:
        row = _row(database, key, is_list=True)
        found = [] if row is None else json.loads(row[0])
        first = max(0, start + len(found)) if start < 0 else start
        last = stop + len(found) if stop < 0 else stop
        return list(found[first : last + 1]) if last >= 0 else []


def _row(database: sqlite3.Connection, key: str, is_list: bool | None = None) -> tuple[str, int, float] | None:
    row: tuple[str, int, float] | None = database.execute(
        "SELECT value, is_list, ends_at FROM keys WHERE name = ?", (key,)
    ).fetchone()
    if row is not None and is_list is not None and bool(row[1]) is not is_list:
        text = f"{key!r} holds a {'list' if row[1] else 'single value'}; delete it first to use it otherwise"
        raise StoreError("key_wrong_type", text)
    return row


def _write(database: sqlite3.Connection, key: str, value: str, is_list: bool, ends_at: float) -> None:
    database.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", (key, value, is_list, ends_at))


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_VALUE_BYTES:
        raise StoreError("key_value_too_large", f"the value is larger than {MAX_VALUE_BYTES >> 10} KB")
    return text


def _end(ttl_s: float | None) -> float:
    if ttl_s is not None and (not math.isfinite(ttl_s) or not 0.001 <= ttl_s <= MAX_TTL_S):
        raise StoreError("ttl_invalid", f"{ttl_s} s is no time to live; give 0.001 to {MAX_TTL_S} s")
    return time.time() + (MAX_TTL_S if ttl_s is None else ttl_s)
