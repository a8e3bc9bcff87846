"""Chooses the adapters and joins the services. Nothing else constructs a store or a service."""

import importlib
import os
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
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
from backend.domain.key_rules import MAX_TTL_S
from backend.runs.atp_process import AtpProcess
from backend.runs.atp_server import AtpServer
from backend.runs.launchers.choice import choose_isolation, etc_dir, launcher
from backend.runs.launchers.local import LocalLauncher
from backend.services.agent_service import AgentService
from backend.services.code_import import CodeImporter
from backend.services.dataset_import import DatasetImporter, ImportSettings
from backend.services.dataset_regroup import DatasetRegrouping
from backend.services.dataset_service import DatasetService
from backend.services.dataset_versions import DatasetVersions
from backend.services.housekeeping import Housekeeping
from backend.services.near_duplicates import NearDuplicateFinder
from backend.services.object_sweep import ObjectSweep
from backend.services.own_messages import OwnMessages
from backend.services.pipeline_folders import PipelineFolders
from backend.services.pipeline_jobs import PipelineJobs
from backend.services.pipeline_service import PipelineService
from backend.services.pipeline_versions import PipelineVersions
from backend.services.point_sealing import PointSealing
from backend.services.project_documents import ProjectDocuments
from backend.services.project_files import ProjectFiles
from backend.services.project_keys_service import ProjectKeysService
from backend.services.project_quota import ProjectQuota
from backend.services.project_service import ProjectService
from backend.services.run_deletion import RunDeletionService
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
from backend.services.upload_service import UploadService
from backend.services.worker_service import WorkerService
from backend.settings import Settings
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.dataset_store import DatasetStore
from backend.stores.mongo.dataset_version_store import DatasetVersionStore
from backend.stores.mongo.deleted_run_store import DeletedRunStore
from backend.stores.mongo.indexes import ensure_indexes
from backend.stores.mongo.item_store import ItemStore
from backend.stores.mongo.object_use_store import ObjectUseStore
from backend.stores.mongo.pipeline_version_store import PipelineVersionStore
from backend.stores.mongo.project_document_store import ProjectDocumentStore
from backend.stores.mongo.project_file_store import ProjectFileStore
from backend.stores.mongo.project_store import ProjectStore
from backend.stores.mongo.result_store import ResultStore
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.stores.mongo.run_list import RunList
from backend.stores.mongo.run_message_store import RunMessageStore
from backend.stores.mongo.run_metric_store import RunMetricStore
from backend.stores.mongo.run_point_store import RunPointStore
from backend.stores.mongo.run_store import RunStore
from backend.stores.mongo.run_ticket_store import RunTicketStore
from backend.stores.mongo.solution_store import SolutionStore
from backend.stores.mongo.worker_store import WorkerStore
from backend.stores.object_store import ObjectStore
from backend.stores.redis.project_keys import KeyLimits, ProjectKeys
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
    deletion: RunDeletionService
    supervision: RunSupervision


@dataclass(frozen=True)
class ProjectData:
    """What scripts keep for their project."""

    documents: ProjectDocuments
    keys: ProjectKeysService
    files: ProjectFiles

    def remove_project(self, project_id: str) -> None:
        """Delete all of it."""
        self.documents.remove_project(project_id)
        self.keys.remove_project(project_id)
        self.files.remove_project(project_id)


@dataclass(frozen=True)
class Services:
    """One service per noun; routes take them from here."""

    datasets: DatasetService
    regrouping: DatasetRegrouping
    projects: ProjectService
    pipelines: PipelineService
    pipeline_versions: PipelineVersions
    solutions: SolutionService
    thumbnails: Thumbnails
    run: RunServices
    housekeeping: Housekeeping
    object_sweep: ObjectSweep
    uploads: UploadService
    project_data: ProjectData
    scratch_dir: Path

    def is_object_of_run(self, token: str, sha256: str) -> bool:
        """Whether the run that a token opens names an object."""
        return self.run.agents.is_object_of_run(token, sha256)

    def clean_up(self) -> None:
        """Remove what a killed backend left half done; called at start."""
        remove_stale(self.scratch_dir)
        self.datasets.clean_up()

    def chores(self) -> list[Callable[[], object]]:
        """What is done beside the API, in this order."""
        return [self.run.deletion.finish, self.object_sweep.sweep, self.uploads.remove_stale]


def build_services(connections: Connections, settings: Settings) -> Services:
    """Join stores and services."""
    scratch_dir = settings.home_dir / "scratch"
    run_store = RunStore(connections.database)
    project_data = _project_data(connections, settings)
    housekeeping, uses = Housekeeping(), ObjectUseStore(connections.database)

    def release(hashes: Iterable[str]) -> None:
        uses.release(hashes)
        housekeeping.wake()

    def remove_data(project_id: str) -> None:
        project_data.remove_project(project_id)
        pipeline_versions.remove_project(project_id)

    projects = _project_service(connections, settings, run_store, remove_data)
    pipelines = _pipeline_service(connections, settings, projects)
    pipeline_versions = PipelineVersions(PipelineVersionStore(connections.database), projects, release, utc_now)
    datasets, regrouping = _dataset_services(connections, settings, scratch_dir, run_store, release)
    return Services(
        datasets=datasets,
        regrouping=regrouping,
        projects=projects,
        pipelines=pipelines,
        pipeline_versions=pipeline_versions,
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
        run=_run_services(connections, settings, run_store, (projects, pipelines), datasets, uses, housekeeping.wake),
        project_data=project_data,
        housekeeping=housekeeping,
        object_sweep=ObjectSweep(uses, connections.objects, settings.object_grace_s),
        uploads=_upload_service(settings, scratch_dir),
        scratch_dir=scratch_dir,
    )


def _dataset_services(
    connections: Connections,
    settings: Settings,
    scratch_dir: Path,
    runs: RunStore,
    release: Callable[[Iterable[str]], None],
) -> tuple[DatasetService, DatasetRegrouping]:
    datasets, items = DatasetStore(connections.database), ItemStore(connections.database)
    version_store = DatasetVersionStore(connections.database)
    versions = DatasetVersions(version_store, items, connections.objects, utc_now)
    import_settings = ImportSettings(settings.image_max_megapixels, workers=min(8, os.cpu_count() or 2))
    finder = NearDuplicateFinder(items, connections.objects)
    importer = DatasetImporter(
        datasets, items, version_store, versions, finder, connections.objects, import_settings, new_id, utc_now
    )
    regrouping = DatasetRegrouping(datasets, items, importer.discard, versions, finder, release, new_id, utc_now)
    limits = ArchiveLimits(settings.archive_max_mb << 20, settings.archive_max_files, settings.archive_max_ratio)
    service = DatasetService(
        datasets,
        items,
        version_store,
        versions,
        importer,
        limits,
        scratch_dir,
        _generate_demo,
        runs,
        release,
        utc_now,
    )
    return service, regrouping


def _project_data(connections: Connections, settings: Settings) -> ProjectData:
    documents, files = ProjectDocumentStore(connections.database), ProjectFileStore(connections.database)
    document_quota = ProjectQuota(
        "documents", settings.project_documents, settings.project_documents_mb << 20, documents.usage
    )
    file_quota = ProjectQuota("files", settings.project_files, settings.project_files_mb << 20, files.usage)
    key_limits = KeyLimits(settings.project_keys, settings.project_keys_mb << 20, MAX_TTL_S * 1000)

    def objects_of(project_id: str) -> ObjectStore:
        return ObjectStore(f"{settings.objects_location}/projects/{project_id}", settings.home_dir / "scratch")

    return ProjectData(
        documents=ProjectDocuments(documents, document_quota, new_id),
        keys=ProjectKeysService(ProjectKeys(connections.redis, key_limits)),
        files=ProjectFiles(files, objects_of, file_quota, utc_now),
    )


def _project_service(
    connections: Connections, settings: Settings, runs: RunStore, remove_data: Callable[[str], None]
) -> ProjectService:
    limits = ArchiveLimits(settings.code_max_mb << 20, MAX_FILES, settings.archive_max_ratio)
    weights_limits = ArchiveLimits(settings.archive_max_mb << 20, MAX_FILES, settings.archive_max_ratio)
    return ProjectService(
        ProjectStore(connections.database),
        CodeImporter(connections.objects, limits, weights_limits),
        connections.objects,
        runs.has_unfinished_of,
        remove_data,
        new_id,
        utc_now,
    )


def _pipeline_service(connections: Connections, settings: Settings, projects: ProjectService) -> PipelineService:
    home = settings.home_dir

    @cache
    def isolating_launcher() -> LocalLauncher:  # tried when it is first needed: an empty sandbox takes a while
        return launcher(choose_isolation(settings.isolation, home)[0], home)

    def started() -> AtpServer:
        return AtpServer(isolating_launcher(), etc_dir(home), home / "scratch", settings.pipeline_check_memory_mb)

    process = AtpProcess(started, settings.pipeline_check_s, settings.pipeline_warm_s)
    folders = PipelineFolders(connections.objects, home / "cache" / "pipelines")
    return PipelineService(
        projects, connections.objects, folders, process, PipelineJobs(), connections.objects.scratch_file
    )


def _run_services(
    connections: Connections,
    settings: Settings,
    runs: RunStore,
    code: tuple[ProjectService, PipelineService],
    datasets: DatasetService,
    uses: ObjectUseStore,
    wake: Callable[[], None],
) -> RunServices:
    database, objects = connections.database, connections.objects
    cursors, messages, points = RunCursorStore(database), RunMessageStore(database), RunPointStore(database)
    metrics, results, artifacts = RunMetricStore(database), ResultStore(database), ArtifactStore(database)
    wake_ups = WakeUps(connections.redis)
    deleted = DeletedRunStore(database)
    workers = WorkerService(runs, WorkerStore(database), deleted, wake_ups, utc_now)
    queue = RunQueueService(runs, workers.workers)
    projects, pipelines = code
    checker = RunInputChecker(projects, datasets, runs, artifacts, workers.devices, pipelines, settings.allow_network)
    run_service = RunService(
        runs, RunList(database, cursors.message_counts), cursors, checker, wake_ups, queue.waits_for, new_id, utc_now
    )
    own_messages = OwnMessages(messages, cursors, utc_now)
    samples = RunSamples(runs, datasets)
    sealing = PointSealing(points, cursors)
    reports = RunReports(runs, cursors, points, messages, metrics, results, samples, own_messages, sealing)
    retries = RunRetries(runs, run_service, own_messages, new_id, utc_now)
    return RunServices(
        runs=run_service,
        records=RunRecordService(runs, messages, metrics, results, artifacts, objects),
        series=SeriesService(runs, cursors, points),
        workers=workers,
        queue=queue,
        agents=AgentService(runs, samples, reports, artifacts, objects, own_messages, utc_now),
        tickets=RunTickets(RunTicketStore(database), runs, own_messages, utc_now),
        retries=retries,
        deletion=RunDeletionService(
            runs, deleted, artifacts, results, (points, messages, metrics, cursors), uses, utc_now, wake
        ),
        supervision=RunSupervision(runs, own_messages, run_service, retries, settings.lease_s, utc_now),
    )


def _upload_service(settings: Settings, scratch_dir: Path) -> UploadService:
    # An exported solution may bring weights, so code is given as much as data.
    max_bytes = settings.archive_max_mb << 20
    return UploadService(scratch_dir / "uploads", {"dataset": max_bytes, "code": max_bytes}, new_id)


def _generate_demo(folder: Path, images: int, seed: int) -> None:
    # Imported when it is needed: NumPy would double the time the API takes to start.
    importlib.import_module("assets.weld_generator").generate(folder, images, seed)
