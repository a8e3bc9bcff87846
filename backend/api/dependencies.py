"""What routes ask for: services and settings of the running application."""

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request

from backend.api.access import bearer_token
from backend.domain.errors import NotAllowedError
from backend.services.agent_service import AgentService
from backend.services.dataset_service import DatasetService
from backend.services.project_service import ProjectService
from backend.services.run_queue_service import RunQueueService
from backend.services.run_record_service import RunRecordService
from backend.services.run_retries import RunRetries
from backend.services.run_service import RunService
from backend.services.run_tickets import RunTickets
from backend.services.series_service import SeriesService
from backend.services.solution_service import SolutionService
from backend.services.thumbnails import Thumbnails
from backend.services.worker_service import WorkerService
from backend.settings import Settings
from backend.stores.object_store import ObjectStore
from backend.wiring import Connections, Services


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def _objects(request: Request) -> ObjectStore:
    return cast(Connections, request.app.state.connections).objects


def _datasets(request: Request) -> DatasetService:
    return _services(request).datasets


def _projects(request: Request) -> ProjectService:
    return _services(request).projects


def _solutions(request: Request) -> SolutionService:
    return _services(request).solutions


def _thumbnails(request: Request) -> Thumbnails:
    return _services(request).thumbnails


def _runs(request: Request) -> RunService:
    return _services(request).run.runs


def _retries(request: Request) -> RunRetries:
    return _services(request).run.retries


def _records(request: Request) -> RunRecordService:
    return _services(request).run.records


def _series(request: Request) -> SeriesService:
    return _services(request).run.series


def _workers(request: Request) -> WorkerService:
    return _services(request).run.workers


def _tickets(request: Request) -> RunTickets:
    return _services(request).run.tickets


def _queue(request: Request) -> RunQueueService:
    return _services(request).run.queue


def _agents(request: Request) -> AgentService:
    return _services(request).run.agents


def object_reader(request: Request, sha256: str) -> None:
    """Who may read an object: the installation, or a run for the objects that it names. Raises NotAllowedError."""
    token = bearer_token(request)
    if hmac.compare_digest(token.encode(), _settings(request).api_token.encode()):
        return
    if not token or not _services(request).is_object_of_run(token, sha256):
        raise NotAllowedError("token_refused")


SettingsOf = Annotated[Settings, Depends(_settings)]
ServicesOf = Annotated[Services, Depends(_services)]
ObjectsOf = Annotated[ObjectStore, Depends(_objects)]
DatasetsOf = Annotated[DatasetService, Depends(_datasets)]
ProjectsOf = Annotated[ProjectService, Depends(_projects)]
SolutionsOf = Annotated[SolutionService, Depends(_solutions)]
ThumbnailsOf = Annotated[Thumbnails, Depends(_thumbnails)]
RunsOf = Annotated[RunService, Depends(_runs)]
RetriesOf = Annotated[RunRetries, Depends(_retries)]
RecordsOf = Annotated[RunRecordService, Depends(_records)]
SeriesOf = Annotated[SeriesService, Depends(_series)]
WorkersOf = Annotated[WorkerService, Depends(_workers)]
TicketsOf = Annotated[RunTickets, Depends(_tickets)]
QueueOf = Annotated[RunQueueService, Depends(_queue)]
AgentsOf = Annotated[AgentService, Depends(_agents)]
