"""Chooses the adapters and joins the services. Nothing else constructs a store or a service."""

import importlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import redis
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from backend.domain.archive_rules import ArchiveLimits
from backend.domain.code_tree import MAX_FILES
from backend.domain.errors import UnavailableError
from backend.services.agent_service import AgentService
from backend.services.code_import import CodeImporter
from backend.services.dataset_import import DatasetImporter, ImportSettings
from backend.services.dataset_service import DatasetService
from backend.services.dataset_versions import DatasetVersions
from backend.services.own_messages import OwnMessages
from backend.services.point_sealing import PointSealing
from backend.services.project_service import ProjectService
from backend.services.run_inputs import RunInputChecker
from backend.services.run_queue_service import RunQueueService
from backend.services.run_record_service import RunRecordService
from backend.services.run_reports import RunReports
from backend.services.run_retries import RunRetries
from backend.services.run_samples import RunSamples
from backend.services.run_service import RunService
from backend.services.run_supervision import RunSupervision
from backend.services.run_tickets import RunTickets
from backend.services.scratch_folder import remove_stale
from backend.services.series_service import SeriesService
from backend.services.solution_service import SolutionService
from backend.services.thumbnails import Thumbnails
from backend.services.worker_service import WorkerService
from backend.settings import Settings
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.dataset_store import DatasetStore
from backend.stores.mongo.dataset_version_store import DatasetVersionStore
from backend.stores.mongo.indexes import ensure_indexes
from backend.stores.mongo.item_store import ItemStore
from backend.stores.mongo.project_store import ProjectStore
from backend.stores.mongo.result_store import ResultStore
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.stores.mongo.run_message_store import RunMessageStore
from backend.stores.mongo.run_metric_store import RunMetricStore
from backend.stores.mongo.run_point_store import RunPointStore
from backend.stores.mongo.run_store import RunStore
from backend.stores.mongo.run_ticket_store import RunTicketStore
from backend.stores.mongo.solution_store import SolutionStore
from backend.stores.mongo.worker_store import WorkerStore
from backend.stores.object_store import ObjectStore
from backend.stores.redis.wake_ups import WakeUps


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

    def health(self) -> dict[str, str]:
        """`ok` or `away` for each store, answered within about two seconds even when one hangs."""
        return {"mongo": _answer(self._ping_mongo), "redis": _answer(self._ping_redis)}

    def _ping_mongo(self) -> None:
        with pymongo.timeout(2):
            self.mongo.admin.command("ping")

    def _ping_redis(self) -> None:
        self.redis.ping()

    def close(self) -> None:
        """Release every socket."""
        self.mongo.close()
        self.redis.close()


def _answer(ping: Callable[[], None]) -> str:
    try:
        ping()
    except (PyMongoError, redis.RedisError):
        return "away"
    return "ok"


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
class RunServices:
    """Those of runs: for users, for pages that read records, for workers, for the queue, for agents, the watch."""

    runs: RunService
    records: RunRecordService
    series: SeriesService
    workers: WorkerService
    queue: RunQueueService
    agents: AgentService
    tickets: RunTickets
    retries: RunRetries
    supervision: RunSupervision


@dataclass(frozen=True)
class Services:
    """One service per noun; routes take them from here."""

    datasets: DatasetService
    projects: ProjectService
    solutions: SolutionService
    thumbnails: Thumbnails
    run: RunServices
    scratch_dir: Path

    def is_object_of_run(self, token: str, sha256: str) -> bool:
        """Whether the run that a token opens names an object."""
        return self.run.agents.is_object_of_run(token, sha256)

    def clean_up(self) -> None:
        """Remove what a killed backend left half done; called at start."""
        remove_stale(self.scratch_dir)
        self.datasets.clean_up()


def build_services(connections: Connections, settings: Settings) -> Services:
    """Join stores and services."""
    scratch_dir = settings.home_dir / "scratch"
    run_store = RunStore(connections.database)
    projects = _project_service(connections, settings, run_store)
    datasets = _dataset_service(connections, settings, scratch_dir, run_store.names_dataset)
    return Services(
        datasets=datasets,
        projects=projects,
        solutions=SolutionService(
            SolutionStore(connections.database),
            projects,
            run_store,
            ArtifactStore(connections.database),
            connections.objects,
            new_id,
            utc_now,
        ),
        thumbnails=Thumbnails(connections.objects, settings.home_dir / "cache" / "thumbnails"),
        run=_run_services(connections, settings, run_store, projects, datasets),
        scratch_dir=scratch_dir,
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


def _project_service(connections: Connections, settings: Settings, runs: RunStore) -> ProjectService:
    limits = ArchiveLimits(settings.code_max_mb << 20, MAX_FILES, settings.archive_max_ratio)
    return ProjectService(
        ProjectStore(connections.database),
        CodeImporter(connections.objects, limits),
        connections.objects,
        runs.has_unfinished_of,
        new_id,
        utc_now,
    )


def _run_services(
    connections: Connections, settings: Settings, runs: RunStore, projects: ProjectService, datasets: DatasetService
) -> RunServices:
    database, objects = connections.database, connections.objects
    cursors, messages, points = RunCursorStore(database), RunMessageStore(database), RunPointStore(database)
    metrics, results, artifacts = RunMetricStore(database), ResultStore(database), ArtifactStore(database)
    wake_ups = WakeUps(connections.redis)
    workers = WorkerService(runs, WorkerStore(database), wake_ups, utc_now)
    queue = RunQueueService(runs, workers.workers)
    checker = RunInputChecker(projects, datasets, runs, artifacts, workers.devices, settings.allow_network)
    run_service = RunService(runs, cursors, checker, wake_ups, queue.waits_for, new_id, utc_now)
    own_messages = OwnMessages(messages, cursors, utc_now)
    samples = RunSamples(runs, datasets)
    sealing = PointSealing(points, cursors)
    reports = RunReports(runs, cursors, points, messages, metrics, results, samples, own_messages, sealing)
    retries = RunRetries(runs, run_service, new_id, utc_now)
    return RunServices(
        runs=run_service,
        records=RunRecordService(runs, messages, metrics, results, artifacts, objects),
        series=SeriesService(runs, cursors, points),
        workers=workers,
        queue=queue,
        agents=AgentService(runs, samples, reports, artifacts, objects, own_messages, utc_now),
        tickets=RunTickets(RunTicketStore(database), runs, own_messages, utc_now),
        retries=retries,
        supervision=RunSupervision(runs, own_messages, run_service, retries, settings.lease_s, utc_now),
    )


def _generate_demo(folder: Path, images: int, seed: int) -> None:
    # Imported when it is needed: NumPy would double the time the API takes to start.
    importlib.import_module("assets.weld_generator").generate(folder, images, seed)
