"""Chooses the adapters and joins the services. Nothing else constructs a store or a service."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from backend.domain.errors import UnavailableError
from backend.settings import Settings
from backend.stores.mongo.indexes import ensure_indexes
from backend.stores.object_store import ObjectStore


def new_id() -> str:
    """A short random id; 64 random bits, so a clash is out of question within one installation."""
    return uuid.uuid4().hex[:16]


def utc_now() -> datetime:
    """Now, in UTC, cut to milliseconds: what MongoDB keeps, so that a value equals itself when it is read back."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class Connections:
    """Open clients. MongoDB acknowledges a write when it is in the journal: plain w:1 loses writes on kill -9."""

    mongo: MongoClient[dict[str, Any]]
    database: Database[dict[str, Any]]
    redis: "redis.Redis"
    objects: ObjectStore

    def close(self) -> None:
        """Release every socket."""
        self.mongo.close()
        self.redis.close()


def connect(settings: Settings) -> Connections:
    """Open the clients and make sure that the indexes exist. Raises UnavailableError naming the store that is away."""
    if settings.mongo_url is None or settings.redis_url is None:
        raise UnavailableError("store_not_configured")
    mongo: MongoClient[dict[str, Any]] = MongoClient(
        settings.mongo_url, w="majority", journal=True, tz_aware=True, serverSelectionTimeoutMS=5000, appname="arm"
    )
    database = mongo[settings.database]
    try:
        ensure_indexes(database)
    except PyMongoError as error:
        mongo.close()
        raise UnavailableError("store_unavailable", store="MongoDB", detail=str(error)[:300]) from error
    return Connections(
        mongo=mongo,
        database=database,
        redis=redis.Redis.from_url(settings.redis_url, socket_connect_timeout=3, health_check_interval=30),
        objects=ObjectStore(settings.objects_location, settings.home_dir / "scratch"),
    )
