"""/api/solutions: exported solutions. There is no way to change one."""

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from backend.api.dependencies import SolutionsOf
from backend.contracts.projects import Project, Solution, SolutionCreate

router = APIRouter(prefix="/solutions", tags=["solutions"])


@router.get("")
def list_solutions(solutions: SolutionsOf) -> list[Solution]:
    """Every version of every solution, newest first."""
    return solutions.solutions()


@router.post("")
def export_solution(body: SolutionCreate, solutions: SolutionsOf) -> Solution:
    """Export a project as the next version of a name."""
    return solutions.export(body)


@router.get("/{solution_id}")
def get_solution(solution_id: str, solutions: SolutionsOf) -> Solution:
    """One solution."""
    return solutions.solution(solution_id)


@router.get("/{solution_id}/archive")
def get_archive(solution_id: str, solutions: SolutionsOf) -> StreamingResponse:
    """The solution as a zip."""
    solution, chunks = solutions.archive(solution_id)
    name = quote(f"{solution.name}-v{solution.version}.zip", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(chunks, media_type="application/zip", headers=headers)


@router.post("/{solution_id}/open")
def open_solution(solution_id: str, solutions: SolutionsOf) -> Project:
    """A new project with the solution's code and settings."""
    return solutions.open(solution_id)
