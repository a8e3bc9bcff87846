"""What routes ask for: services and settings of the running application."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request

from backend.api.access import bearer_token, has_installation_token
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

Service = TypeVar("Service")

# Getters are coroutines because FastAPI calls those where they are; a plain function it would send to a thread, and a
# request would change threads once more for each thing that its route asks for.


async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def _objects(request: Request) -> ObjectStore:
    return cast(Connections, request.app.state.connections).objects


def _all(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def _from(pick: Callable[[Services], Service]) -> Callable[[Request], Coroutine[Any, Any, Service]]:
    async def picked(request: Request) -> Service:
        return pick(_all(request))

    return picked


def object_reader(request: Request, sha256: str) -> None:
    """Who may read an object: the installation, or a run for the objects that it names. Raises NotAllowedError."""
    if has_installation_token(request):
        return
    token = bearer_token(request)
    if not token or not _all(request).is_object_of_run(token, sha256):
        raise NotAllowedError("token_refused")


SettingsOf = Annotated[Settings, Depends(_settings)]
ObjectsOf = Annotated[ObjectStore, Depends(_objects)]
DatasetsOf = Annotated[DatasetService, Depends(_from(lambda services: services.datasets))]
RegroupingOf = Annotated[DatasetRegrouping, Depends(_from(lambda services: services.regrouping))]
ProjectsOf = Annotated[ProjectService, Depends(_from(lambda services: services.projects))]
PipelinesOf = Annotated[PipelineService, Depends(_from(lambda services: services.pipelines))]
PipelineVersionsOf = Annotated[PipelineVersions, Depends(_from(lambda services: services.pipeline_versions))]
SolutionsOf = Annotated[SolutionService, Depends(_from(lambda services: services.solutions))]
ThumbnailsOf = Annotated[Thumbnails, Depends(_from(lambda services: services.thumbnails))]
RunsOf = Annotated[RunService, Depends(_from(lambda services: services.run.runs))]
RetriesOf = Annotated[RunRetries, Depends(_from(lambda services: services.run.retries))]
RecordsOf = Annotated[RunRecordService, Depends(_from(lambda services: services.run.records))]
SeriesOf = Annotated[SeriesService, Depends(_from(lambda services: services.run.series))]
WorkersOf = Annotated[WorkerService, Depends(_from(lambda services: services.run.workers))]
TicketsOf = Annotated[RunTickets, Depends(_from(lambda services: services.run.tickets))]
QueueOf = Annotated[RunQueueService, Depends(_from(lambda services: services.run.queue))]
UploadsOf = Annotated[UploadService, Depends(_from(lambda services: services.uploads))]
DeletionOf = Annotated[RunDeletionService, Depends(_from(lambda services: services.run.deletion))]
ProjectDataOf = Annotated[ProjectData, Depends(_from(lambda services: services.project_data))]
AgentsOf = Annotated[AgentService, Depends(_from(lambda services: services.run.agents))]
