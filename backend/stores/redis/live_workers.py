"""Which workers are alive and what devices they offer: keys that vanish when a worker falls silent."""

import redis
from pydantic import TypeAdapter

from backend.contracts.runs import Device
from backend.domain.errors import UnavailableError

_PREFIX = "arm:worker:"
_devices = TypeAdapter(tuple[Device, ...])


class LiveWorkers:
    """Raises UnavailableError('store_unavailable') when Redis is away."""

    def __init__(self, client: "redis.Redis", alive_s: int = 15) -> None:
        self._client = client
        self._alive_s = alive_s

    def renew(self, worker: str, devices: tuple[Device, ...]) -> None:
        """The worker is alive now and offers these devices."""
        try:
            self._client.set(_PREFIX + worker, _devices.dump_json(devices), ex=self._alive_s)
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def devices(self) -> list[Device]:
        """Devices of every live worker, ordered by name and worker."""
        try:
            keys = sorted(self._client.scan_iter(match=f"{_PREFIX}*", count=1000))
            values = self._client.mget(keys) if keys else []
        except redis.RedisError as error:
            raise _unavailable(error) from error
        found = [device for value in values if value is not None for device in _devices.validate_json(value)]
        return sorted(found, key=lambda device: (device.name, device.worker))


def _unavailable(error: redis.RedisError) -> UnavailableError:
    return UnavailableError("store_unavailable", store="Redis", detail=str(error)[:300])
