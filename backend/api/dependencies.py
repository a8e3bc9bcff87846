"""What routes ask for: services and settings of the running application."""

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request

from backend.api.access import bearer_token
from backend.domain.errors import NotAllowedError
from backend.services.agent_service import AgentService
from backend.services.dataset_regroup import DatasetRegrouping
from backend.services.dataset_service import DatasetService
from backend.services.pipeline_service import PipelineService
from backend.services.pipeline_versions import PipelineVersions
from backend.services.project_service import ProjectService
from backend.services.run_deletion import RunDeletionService
from backend.services.run_queue_service import RunQueueService
from backend.services.run_record_service import RunRecordService
from backend.services.run_retries import RunRetries
from backend.services.run_service import RunService
from backend.services.run_tickets import RunTickets
from backend.services.series_service import SeriesService
from backend.services.solution_service import SolutionService
from backend.services.thumbnails import Thumbnails
from backend.services.upload_service import UploadService
from backend.services.worker_service import WorkerService
from backend.settings import Settings
from backend.stores.object_store import ObjectStore
from backend.wiring import Connections, ProjectData, Services

# They are coroutines because FastAPI calls those where they are; a plain function it would send to a thread, and a
# request would change threads once more for each thing that its route asks for.


async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def _services(request: Request) -> Services:
    return _all(request)


def _all(request: Request) -> Services:
    return cast(Services, request.app.state.services)


async def _objects(request: Request) -> ObjectStore:
    return cast(Connections, request.app.state.connections).objects


async def _datasets(request: Request) -> DatasetService:
    return _all(request).datasets


async def _regrouping(request: Request) -> DatasetRegrouping:
    return _all(request).regrouping


async def _projects(request: Request) -> ProjectService:
    return _all(request).projects


async def _pipelines(request: Request) -> PipelineService:
    return _all(request).pipelines


async def _pipeline_versions(request: Request) -> PipelineVersions:
    return _all(request).pipeline_versions


async def _solutions(request: Request) -> SolutionService:
    return _all(request).solutions


async def _thumbnails(request: Request) -> Thumbnails:
    return _all(request).thumbnails


async def _runs(request: Request) -> RunService:
    return _all(request).run.runs


async def _retries(request: Request) -> RunRetries:
    return _all(request).run.retries


async def _records(request: Request) -> RunRecordService:
    return _all(request).run.records


async def _series(request: Request) -> SeriesService:
    return _all(request).run.series


async def _workers(request: Request) -> WorkerService:
    return _all(request).run.workers


async def _tickets(request: Request) -> RunTickets:
    return _all(request).run.tickets


async def _queue(request: Request) -> RunQueueService:
    return _all(request).run.queue


async def _uploads(request: Request) -> UploadService:
    return _all(request).uploads


async def _deletion(request: Request) -> RunDeletionService:
    return _all(request).run.deletion


async def _agents(request: Request) -> AgentService:
    return _all(request).run.agents


async def _project_data(request: Request) -> ProjectData:
    return _all(request).project_data


def object_reader(request: Request, sha256: str) -> None:
    """Who may read an object: the installation, or a run for the objects that it names. Raises NotAllowedError."""
    token = bearer_token(request)
    if hmac.compare_digest(token.encode(), cast(Settings, request.app.state.settings).api_token.encode()):
        return
    if not token or not _all(request).is_object_of_run(token, sha256):
        raise NotAllowedError("token_refused")


SettingsOf = Annotated[Settings, Depends(_settings)]
ServicesOf = Annotated[Services, Depends(_services)]
ObjectsOf = Annotated[ObjectStore, Depends(_objects)]
DatasetsOf = Annotated[DatasetService, Depends(_datasets)]
RegroupingOf = Annotated[DatasetRegrouping, Depends(_regrouping)]
ProjectsOf = Annotated[ProjectService, Depends(_projects)]
PipelinesOf = Annotated[PipelineService, Depends(_pipelines)]
PipelineVersionsOf = Annotated[PipelineVersions, Depends(_pipeline_versions)]
SolutionsOf = Annotated[SolutionService, Depends(_solutions)]
ThumbnailsOf = Annotated[Thumbnails, Depends(_thumbnails)]
RunsOf = Annotated[RunService, Depends(_runs)]
RetriesOf = Annotated[RunRetries, Depends(_retries)]
RecordsOf = Annotated[RunRecordService, Depends(_records)]
SeriesOf = Annotated[SeriesService, Depends(_series)]
WorkersOf = Annotated[WorkerService, Depends(_workers)]
TicketsOf = Annotated[RunTickets, Depends(_tickets)]
QueueOf = Annotated[RunQueueService, Depends(_queue)]
UploadsOf = Annotated[UploadService, Depends(_uploads)]
DeletionOf = Annotated[RunDeletionService, Depends(_deletion)]
ProjectDataOf = Annotated[ProjectData, Depends(_project_data)]
AgentsOf = Annotated[AgentService, Depends(_agents)]
