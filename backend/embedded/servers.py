"""Both embedded servers at once: what `arm up` and the tests start when no server is given by its address."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.embedded.mongo_server import MongoServer
from backend.embedded.redis_server import RedisServer


@dataclass
class Servers:
    """Addresses of the two stores, whether ours or given; `stop` ends only those that we started."""

    mongo_url: str
    redis_url: str
    started: tuple[MongoServer | RedisServer, ...]

    def stop(self) -> None:
        """Stop the servers we started, the last started first."""
        for server in reversed(self.started):
            server.stop()


def start_servers(
    home: Path,
    mongo_url: str | None = None,
    redis_url: str | None = None,
    report: Callable[[str], None] = lambda origin: None,
) -> Servers:
    """Start what has no address yet, with data in `home`; `report` is told each server's name when it is ready.

    Raises UnavailableError when a server can not be found or started; nothing stays running then.
    """
    started: list[MongoServer | RedisServer] = []
    servers = Servers(mongo_url or "", redis_url or "", ())
    try:
        if mongo_url is None:
            mongo = MongoServer(home / "data", home / "logs" / "mongod.log", home / "secrets")
            started.append(mongo)
            servers.mongo_url = mongo.url
            report(mongo.origin)
        if redis_url is None:
            redis_server = RedisServer(home / "data", home / "logs" / "redis.log", home / "secrets")
            started.append(redis_server)
            servers.redis_url = redis_server.url
            report(redis_server.origin)
    finally:
        servers.started = tuple(started)
        if not (servers.mongo_url and servers.redis_url):
            servers.stop()
    return servers
