"""Wakes a waiting claim as soon as there is a run for it. A lost wake-up costs a second, never a run."""

import logging
import time
from collections.abc import Sequence

import redis

KEEP = 64
log = logging.getLogger(__name__)


class WakeUps:
    """A short list per device. Without Redis, waiting is plain sleep: claims still come, a little later."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def send(self, device: str) -> None:
        """There is something to claim for this device."""
        key = _key(device)
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.lpush(key, 1)
                pipeline.ltrim(key, 0, KEEP - 1)
                pipeline.expire(key, 60)
                pipeline.execute()
        except redis.RedisError as error:
            log.warning("no wake-up sent, claims poll: %s", error)

    def wait(self, devices: Sequence[str], timeout_s: float) -> None:
        """Return at a wake-up for one of `devices`, or after `timeout_s`."""
        if not devices:
            time.sleep(timeout_s)
            return
        started = time.monotonic()
        try:
            self._client.blpop([_key(device) for device in devices], timeout=timeout_s)
        except redis.RedisError:
            time.sleep(max(0.0, timeout_s - (time.monotonic() - started)))


def _key(device: str) -> str:
    return f"arm:wake:{device}"
