"""/api/projects/{id}/pipelines: pipeline files of a project. Saving and reading one is /api/projects/{id}/code."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from backend.api.dependencies import ObjectsOf, PipelinesOf, PipelineVersionsOf
from backend.api.uploads import received_body
from backend.contracts.pipelines import (
    MAX_TEXT,
    PipelineCheck,
    PipelineFile,
    PipelineGraph,
    PipelineGraphCreate,
    PipelineHelp,
    PipelineHelpCreate,
    PipelineReport,
    PipelineVersion,
    PipelineVersionCreate,
)
from backend.contracts.projects import Project, ProjectCreate

router = APIRouter(tags=["pipelines"])


@router.post("/pipelines/examples")
def open_examples(body: ProjectCreate, pipelines: PipelinesOf) -> Project:
    """A new project with the pipelines that are shipped."""
    return pipelines.open_examples(body.name)


@router.get("/projects/{project_id}/pipelines")
def list_pipelines(project_id: str, pipelines: PipelinesOf) -> list[PipelineFile]:
    """Pipeline files by path."""
    return pipelines.pipelines(project_id)


@router.put("/projects/{project_id}/pipelines")
async def import_pipeline(
    project_id: str, path: str, request: Request, pipelines: PipelinesOf, objects: ObjectsOf
) -> Project:
    """Add a pipeline file, sent as the raw body."""
    async with received_body(request, objects, MAX_TEXT) as content:
        return await run_in_threadpool(pipelines.import_file, project_id, path, content)


@router.post("/projects/{project_id}/pipelines/check")
def check_pipeline(project_id: str, body: PipelineCheck, pipelines: PipelinesOf) -> PipelineReport:
    """What is wrong with a text."""
    return pipelines.check(project_id, body)


@router.post("/projects/{project_id}/pipelines/graph")
def draw_pipeline(project_id: str, body: PipelineGraphCreate, pipelines: PipelinesOf) -> PipelineGraph:
    """A graph of a text."""
    return pipelines.graph(project_id, body)


@router.post("/projects/{project_id}/pipelines/help")
def explain(project_id: str, body: PipelineHelpCreate, pipelines: PipelinesOf) -> PipelineHelp:
    """The help page of a reference."""
    return pipelines.help(project_id, body)


@router.get("/projects/{project_id}/pipelines/versions")
def list_versions(project_id: str, path: str, versions: PipelineVersionsOf) -> list[PipelineVersion]:
    """Kept versions of a file, the newest first."""
    return versions.versions(project_id, path)


@router.post("/projects/{project_id}/pipelines/versions")
def keep_version(project_id: str, body: PipelineVersionCreate, versions: PipelineVersionsOf) -> PipelineVersion:
    """Keep the saved state of a file."""
    return versions.create(project_id, body)
