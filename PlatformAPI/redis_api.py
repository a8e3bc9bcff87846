"""RedisAPI: short-lived values, counters and lists that all runs of a project share."""

from typing import Any

from PlatformAPI import stores

Names = list[str]
Values = list[Any]


class RedisAPI:
    """Keys of this project; other projects do not see them. Values are JSON.

    Every key ends: after `ttl_s` seconds, after 30 days where that is not given. Every method raises StoreError for
    what is refused, StoreAwayError when the workstation is away.
    """

    def __init__(self) -> None:
        self._socket = stores.api_socket()
        if self._socket is None:
            from PlatformAPI.local_keys import LocalKeys

            self._local = LocalKeys(stores.local_dir() / "keys.sqlite3")

    def set(self, key: str, value: Any, ttl_s: float | None = None, only_if_absent: bool = False) -> bool:
        """Keep a value for `ttl_s` seconds. False when `only_if_absent` and the key is there."""
        return bool(self._ask("set", key=key, value=value, ttl_s=ttl_s, only_if_absent=only_if_absent)["value"])

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, `default` when it is not there."""
        reply = self._ask("get", key=key)
        return reply["value"] if reply["is_found"] else default

    def incr(self, key: str, by: int = 1) -> int:
        """Add to a whole number in one step; a missing key counts as 0. The answer is the new number."""
        return int(self._ask("incr", key=key, by=by)["value"])

    def expire(self, key: str, ttl_s: float) -> bool:
        """Let a key live for `ttl_s` seconds from now. False when it is not there."""
        return bool(self._ask("expire", key=key, ttl_s=ttl_s)["value"])

    def ttl(self, key: str) -> float | None:
        """Seconds that a key has left, None when it is not there."""
        reply = self._ask("ttl", key=key)
        return float(reply["value"]) if reply["is_found"] else None

    def delete(self, key: str) -> bool:
        """Delete a key. False when it was not there."""
        return bool(self._ask("delete", key=key)["value"])

    def keys(self, prefix: str = "") -> Names:
        """Names of keys that begin with `prefix`, sorted."""
        return list(self._ask("keys", prefix=prefix)["value"])

    def push(self, key: str, *values: Any) -> int:
        """Append to a list, which a missing key becomes; the answer is its length."""
        return int(self._ask("push", key=key, values=list(values))["value"])

    def pop(self, key: str, first: bool = True, default: Any = None) -> Any:
        """Take the first (or the last) value of a list, `default` when there is none."""
        reply = self._ask("pop", key=key, is_first=first)
        return reply["value"] if reply["is_found"] else default

    def list(self, key: str, start: int = 0, stop: int = -1) -> Values:
        """Values of a list from `start` to `stop`, both inclusive; negative ones count from the end."""
        found: Values = self._ask("list", key=key, start=start, stop=stop)["value"]
        return found

    def _ask(self, command: str, **body: Any) -> Any:
        from PlatformAPI.store_values import packed, unpacked

        content = packed(body, command)
        if self._socket is None:
            return self._local.ask(command, unpacked(content))
        return self._socket.ask(f"/keys/{command}", content)
