"""/api/projects: working copies and their code."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from backend.api.dependencies import ObjectsOf, ProjectsOf, SettingsOf
from backend.api.uploads import received_body, sent_file
from backend.contracts.projects import FileText, Project, ProjectCreate, ProjectUpdate

router = APIRouter(prefix="/projects", tags=["projects"])


@router.get("")
def list_projects(projects: ProjectsOf) -> list[Project]:
    """All projects, the last changed first."""
    return projects.projects()


@router.post("")
def create_project(body: ProjectCreate, projects: ProjectsOf) -> Project:
    """A new, empty project."""
    return projects.create(body)


@router.get("/{project_id}")
def get_project(project_id: str, projects: ProjectsOf) -> Project:
    """One project."""
    return projects.project(project_id)


@router.patch("/{project_id}")
def update_project(project_id: str, body: ProjectUpdate, projects: ProjectsOf) -> Project:
    """Change the fields that are given."""
    return projects.update(project_id, body)


@router.delete("/{project_id}", status_code=204)
def delete_project(project_id: str, projects: ProjectsOf) -> None:
    """Delete a project; its runs and solutions stay."""
    projects.delete(project_id)


@router.put("/{project_id}/code")
async def replace_code(
    project_id: str, request: Request, projects: ProjectsOf, settings: SettingsOf, upload: str | None = None
) -> Project:
    """Replace the code by a zip, sent as the raw body or before, as an upload.

    An exported solution may bring weights, so it may be large.
    """
    async with sent_file(request, upload, "code", settings.archive_max_mb << 20) as archive:
        return await run_in_threadpool(projects.replace_code, project_id, archive)


@router.put("/{project_id}/code/{path:path}")
async def put_file(
    project_id: str, path: str, request: Request, projects: ProjectsOf, objects: ObjectsOf, settings: SettingsOf
) -> Project:
    """Add or replace one file, sent as the raw body."""
    async with received_body(request, objects, settings.code_max_mb << 20) as content:
        return await run_in_threadpool(projects.put_file, project_id, path, content)


@router.delete("/{project_id}/code/{path:path}")
def remove_file(project_id: str, path: str, projects: ProjectsOf) -> Project:
    """Remove one file."""
    return projects.remove_file(project_id, path)


@router.get("/{project_id}/code/{path:path}")
def get_file(project_id: str, path: str, projects: ProjectsOf) -> FileText:
    """One file as text."""
    return projects.file_text(project_id, path)
