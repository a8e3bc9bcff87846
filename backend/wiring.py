"""Chooses the adapters and joins the services. Nothing else constructs a store or a service."""

import importlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from backend.domain.archive_rules import ArchiveLimits
from backend.domain.errors import UnavailableError
from backend.services.dataset_import import DatasetImporter, ImportSettings
from backend.services.dataset_service import DatasetService
from backend.services.dataset_versions import DatasetVersions
from backend.services.thumbnails import Thumbnails
from backend.settings import Settings
from backend.stores.mongo.dataset_store import DatasetStore
from backend.stores.mongo.dataset_version_store import DatasetVersionStore
from backend.stores.mongo.indexes import ensure_indexes
from backend.stores.mongo.item_store import ItemStore
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


@dataclass(frozen=True)
class Services:
    """One service per noun; routes take them from here."""

    datasets: DatasetService
    thumbnails: Thumbnails
    is_object_of_run: Callable[[str, str], bool]
    """(run token, sha256) -> whether that run names the object"""

    def clean_up(self) -> None:
        """Remove what a killed backend left half done; called at start."""
        self.datasets.clean_up()


def build_services(connections: Connections, settings: Settings) -> Services:
    """Join stores and services."""
    scratch_dir = settings.home_dir / "scratch"
    return Services(
        datasets=_dataset_service(connections, settings, scratch_dir, is_used_by_runs=lambda _: False),
        thumbnails=Thumbnails(connections.objects, settings.home_dir / "cache" / "thumbnails"),
        is_object_of_run=lambda _token, _sha256: False,
    )


def _dataset_service(
    connections: Connections, settings: Settings, scratch_dir: Path, is_used_by_runs: Callable[[str], bool]
) -> DatasetService:
    datasets, items = DatasetStore(connections.database), ItemStore(connections.database)
    version_store = DatasetVersionStore(connections.database)
    versions = DatasetVersions(version_store, items, connections.objects, utc_now)
    import_settings = ImportSettings(settings.image_max_megapixels, workers=min(8, os.cpu_count() or 2))
    importer = DatasetImporter(
        datasets, items, version_store, versions, connections.objects, import_settings, new_id, utc_now
    )
    limits = ArchiveLimits(settings.archive_max_mb << 20, settings.archive_max_files, settings.archive_max_ratio)
    return DatasetService(
        datasets,
        items,
        version_store,
        versions,
        importer,
        limits,
        scratch_dir,
        _generate_demo,
        is_used_by_runs,
        utc_now,
    )


def _generate_demo(folder: Path, images: int, seed: int) -> None:
    # Imported when it is needed: NumPy would double the time the API takes to start.
    importlib.import_module("assets.weld_generator").generate(folder, images, seed)
