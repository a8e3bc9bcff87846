"""Keys that scripts keep for their project, as `project:{id}:{key}` in Redis, counted and weighed beside their values.

Names and sizes are listed per project, so that a search never looks at the keys of others.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

from backend.domain.errors import ConflictError, InvalidInputError, TooLargeError, UnavailableError

Answer = TypeVar("Answer")
# One script, so that limits hold whatever happens at the same time. KEYS: value, expiries (sorted set), sizes (hash),
# total (number). ARGV: command, name, prefix of values, most keys, most bytes, longest time in ms, then the command's.
_WRITE = """
local value, expiries, sizes, total = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local command, name, prefix = ARGV[1], ARGV[2], ARGV[3]
local max_keys, max_bytes, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local COST, ITEM = 128, 16

local function forget(gone)
  redis.call('ZREM', expiries, gone)
  redis.call('DECRBY', total, redis.call('HGET', sizes, gone) or 0)
  redis.call('HDEL', sizes, gone)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 200)) do
  if redis.call('EXISTS', prefix .. gone) == 0 then forget(gone) end
end
local known = redis.call('EXISTS', value) == 1
if not known and redis.call('HEXISTS', sizes, name) == 1 then forget(name) end
local old = tonumber(redis.call('HGET', sizes, name) or 0)

local function reserve(new)
  if not known and redis.call('ZCARD', expiries) >= max_keys then return 'quota_keys' end
  if new > old and tonumber(redis.call('GET', total) or 0) + new - old > max_bytes then return 'quota_key_bytes' end
end
local function note(new, ttl)
  redis.call('HSET', sizes, name, new)
  redis.call('INCRBY', total, new - old)
  if ttl then
    redis.call('PEXPIRE', value, ttl)
    redis.call('ZADD', expiries, now + ttl, name)
  end
end

if command == 'set' then
  local ttl, once, content = tonumber(ARGV[7]), ARGV[8], ARGV[9]
  if once == '1' and known then return {'ok', 0} end
  local size = COST + #name + #content
  local fault = reserve(size)
  if fault then return {fault} end
  redis.call('SET', value, content)
  note(size, ttl)
  return {'ok', 1}
end
if command == 'incr' then
  local size = COST + #name + 20
  local fault = reserve(size)
  if fault then return {fault} end
  local answer = redis.pcall('INCRBY', value, ARGV[7])
  if type(answer) == 'table' and answer.err then return {answer.err} end
  note(size, not known and longest or nil)
  return {'ok', redis.call('GET', value)}
end
if command == 'push' then
  local size = (known and old) or (COST + #name)
  for i = 7, #ARGV do size = size + ITEM + #ARGV[i] end
  local fault = reserve(size)
  if fault then return {fault} end
  local length = 0
  for i = 7, #ARGV do
    length = redis.pcall('RPUSH', value, ARGV[i])
    if type(length) == 'table' and length.err then return {length.err} end
  end
  note(size, not known and longest or nil)
  return {'ok', length}
end
if command == 'pop' then
  local taken = redis.pcall(ARGV[7], value)
  if type(taken) == 'table' and taken.err then return {taken.err} end
  if not taken then return {'ok', false} end
  if redis.call('EXISTS', value) == 0 then forget(name) else note(old - ITEM - #taken, nil) end
  return {'ok', taken}
end
if command == 'expire' then
  if not known then return {'ok', 0} end
  note(old, tonumber(ARGV[7]))
  return {'ok', 1}
end
if command == 'delete' then
  if not known then return {'ok', 0} end
  redis.call('DEL', value)
  forget(name)
  return {'ok', 1}
end
"""


@dataclass(frozen=True)
class KeyLimits:
    """Most keys and most bytes of one project, and the longest time a key lives."""

    max_keys: int
    max_bytes: int
    max_ttl_ms: int


def _translated(method: Callable[..., Answer]) -> Callable[..., Answer]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Answer:
        try:
            return method(*args, **kwargs)
        except redis.ResponseError as error:
            raise _refusal(str(error)) from error
        except redis.RedisError as error:
            raise UnavailableError("store_unavailable", store="Redis", detail=str(error)[:300]) from error

    return call


class ProjectKeys:
    """Values are bytes of JSON. Atomic, thread-safe.

    Raises TooLargeError('quota_…'), ConflictError('key_wrong_type'), InvalidInputError('key_not_whole'),
    UnavailableError.
    """

    def __init__(self, client: "redis.Redis", limits: KeyLimits) -> None:
        self._client = client
        self._limits = limits
        self._write = client.register_script(_WRITE)

    @_translated
    def set(self, project_id: str, key: str, value: bytes, ttl_ms: int, only_if_absent: bool) -> bool:
        """Keep a value. False when `only_if_absent` and the key is there."""
        return bool(self._run("set", project_id, key, ttl_ms, int(only_if_absent), value))

    @_translated
    def get(self, project_id: str, key: str) -> bytes | None:
        """A value, or None."""
        found: Any = self._client.get(_value(project_id, key))
        return None if found is None else bytes(found)

    @_translated
    def incr(self, project_id: str, key: str, by: int) -> int:
        """Add to a whole number; the answer is the new one."""
        return int(self._run("incr", project_id, key, by))

    @_translated
    def expire(self, project_id: str, key: str, ttl_ms: int) -> bool:
        """Give a key a new time to live. False when it is not there."""
        return bool(self._run("expire", project_id, key, ttl_ms))

    @_translated
    def ttl_ms(self, project_id: str, key: str) -> int | None:
        """Milliseconds that a key has left, None when it is not there."""
        left: Any = self._client.pttl(_value(project_id, key))
        return None if left < 0 else int(left)

    @_translated
    def delete(self, project_id: str, key: str) -> bool:
        """Delete a key. False when it was not there."""
        return bool(self._run("delete", project_id, key))

    @_translated
    def push(self, project_id: str, key: str, values: list[bytes]) -> int:
        """Append to a list; the answer is its new length."""
        return int(self._run("push", project_id, key, *values))

    @_translated
    def pop(self, project_id: str, key: str, is_first: bool) -> bytes | None:
        """Take the first or the last value of a list, None when there is none."""
        taken = self._run("pop", project_id, key, "LPOP" if is_first else "RPOP")
        return None if taken is None else bytes(taken)

    @_translated
    def values(self, project_id: str, key: str, start: int, stop: int) -> list[bytes]:
        """Values of a list, both ends inclusive."""
        found: Any = self._client.lrange(_value(project_id, key), start, stop)
        return list(found)

    @_translated
    def keys(self, project_id: str, prefix: str) -> list[str]:
        """Names of living keys, sorted."""
        seconds, microseconds = self._time()
        now_ms = seconds * 1000 + microseconds // 1000
        found: Any = self._client.zrangebyscore(_expiries(project_id), f"({now_ms}", "+inf")
        names = (name.decode() for name in found)
        return sorted(name for name in names if name.startswith(prefix))

    @_translated
    def remove_project(self, project_id: str) -> None:
        """Delete everything of a project."""
        names: Any = self._client.zrange(_expiries(project_id), 0, -1)
        own = [_value(project_id, name.decode()) for name in names]
        for start in range(0, len(own), 1000):
            self._client.delete(*own[start : start + 1000])
        self._client.delete(*_accounts(project_id))

    def _time(self) -> tuple[int, int]:
        found: Any = self._client.time()
        return int(found[0]), int(found[1])

    def _run(self, command: str, project_id: str, key: str, *arguments: Any) -> Any:
        limits = (self._limits.max_keys, self._limits.max_bytes, self._limits.max_ttl_ms)
        reply: Any = self._write(
            keys=[_value(project_id, key), *_accounts(project_id)],
            args=[command, key, _value(project_id, ""), *limits, *arguments],
        )
        if reply[0] == b"ok":
            return reply[1] if len(reply) > 1 else None
        code = reply[0].decode()
        if code == "quota_keys":
            raise TooLargeError("quota_keys", limit=self._limits.max_keys)
        if code == "quota_key_bytes":
            raise TooLargeError("quota_key_bytes", limit_mb=self._limits.max_bytes >> 20)
        raise _refusal(code)


def _refusal(text: str) -> ConflictError | InvalidInputError | UnavailableError:
    if "WRONGTYPE" in text:
        return ConflictError("key_wrong_type")
    if "not an integer" in text or "overflow" in text:
        return InvalidInputError("key_not_whole")
    return UnavailableError("store_unavailable", store="Redis", detail=text[:300])


def _value(project_id: str, key: str) -> str:
    return f"project:{project_id}:{key}"


def _expiries(project_id: str) -> str:
    return f"project-keys:{project_id}:expiries"


def _accounts(project_id: str) -> list[str]:
    return [_expiries(project_id), f"project-keys:{project_id}:sizes", f"project-keys:{project_id}:total"]


def unpacked(value: bytes) -> Any:
    """The JSON value that was kept."""
    return json.loads(value)
