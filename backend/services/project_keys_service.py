"""Short-lived values that the scripts of a project share. Every method takes the project from the run's token."""

from backend.contracts.project_data import (
    Key,
    KeyExpiry,
    KeyIncrement,
    KeyPop,
    KeyPush,
    KeyRange,
    KeyReply,
    KeySearch,
    KeySet,
)
from backend.domain.key_rules import MAX_KEY_CHARS, checked_key, packed_value, ttl_ms
from backend.stores.redis.project_keys import ProjectKeys, unpacked


class ProjectKeysService:
    """Values are JSON; every key ends some day (backend/domain/key_rules.py)."""

    def __init__(self, keys: ProjectKeys) -> None:
        self._keys = keys

    def set(self, project_id: str, asked: KeySet) -> KeyReply:
        """Keep a value; the answer is whether that was done."""
        value, lives_ms = packed_value(asked.value), ttl_ms(asked.ttl_s)
        is_done = self._keys.set(project_id, checked_key(asked.key), value, lives_ms, asked.only_if_absent)
        return KeyReply(value=is_done)

    def get(self, project_id: str, asked: Key) -> KeyReply:
        """A value."""
        return _reply(self._keys.get(project_id, checked_key(asked.key)))

    def incr(self, project_id: str, asked: KeyIncrement) -> KeyReply:
        """Add to a whole number; the answer is the new one."""
        return KeyReply(value=self._keys.incr(project_id, checked_key(asked.key), asked.by))

    def expire(self, project_id: str, asked: KeyExpiry) -> KeyReply:
        """Set the time to live; the answer is whether the key is there."""
        return KeyReply(value=self._keys.expire(project_id, checked_key(asked.key), ttl_ms(asked.ttl_s)))

    def ttl(self, project_id: str, asked: Key) -> KeyReply:
        """Seconds that a key has left."""
        left = self._keys.ttl_ms(project_id, checked_key(asked.key))
        return KeyReply(is_found=False) if left is None else KeyReply(value=left / 1000)

    def delete(self, project_id: str, asked: Key) -> KeyReply:
        """Delete a key; the answer is whether it was there."""
        return KeyReply(value=self._keys.delete(project_id, checked_key(asked.key)))

    def push(self, project_id: str, asked: KeyPush) -> KeyReply:
        """Append to a list; the answer is its new length."""
        values = [packed_value(value) for value in asked.values]
        return KeyReply(value=self._keys.push(project_id, checked_key(asked.key), values))

    def pop(self, project_id: str, asked: KeyPop) -> KeyReply:
        """Take a value of a list."""
        return _reply(self._keys.pop(project_id, checked_key(asked.key), asked.is_first))

    def list(self, project_id: str, asked: KeyRange) -> KeyReply:
        """Values of a list."""
        values = self._keys.values(project_id, checked_key(asked.key), asked.start, asked.stop)
        return KeyReply(value=[unpacked(value) for value in values])

    def keys(self, project_id: str, asked: KeySearch) -> KeyReply:
        """Names of living keys."""
        return KeyReply(value=self._keys.keys(project_id, asked.prefix[:MAX_KEY_CHARS]))

    def remove_project(self, project_id: str) -> None:
        """Delete everything of a project."""
        self._keys.remove_project(project_id)


def _reply(value: bytes | None) -> KeyReply:
    return KeyReply(is_found=False) if value is None else KeyReply(value=unpacked(value))
