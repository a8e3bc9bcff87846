"""Everything a user can ask about exported solutions: export, list, download, open as a project."""

from collections.abc import Callable, Iterator
from datetime import datetime

from backend.contracts.projects import Project, Solution, SolutionCreate, Weights
from backend.domain.code_tree import check_launch_file
from backend.domain.errors import InvalidInputError
from backend.domain.names import checked_name
from backend.services.project_service import (
    MAX_DESCRIPTION,
    ProjectService,
    checked_arguments,
    checked_device,
    checked_text,
)
from backend.services.solution_archive import archive_chunks, weights_folder
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.run_store import RunStore
from backend.stores.mongo.solution_store import SolutionStore
from backend.stores.object_store import ObjectStore

WEIGHTS_KINDS = ("pytorch", "onnx", "checkpoint")


class SolutionService:
    """Exported solutions: immutable, versioned by name."""

    def __init__(
        self,
        solutions: SolutionStore,
        projects: ProjectService,
        runs: RunStore,
        artifacts: ArtifactStore,
        objects: ObjectStore,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._solutions = solutions
        self._projects = projects
        self._runs = runs
        self._artifacts = artifacts
        self._objects = objects
        self._new_id = new_id
        self._now = now

    def solutions(self) -> list[Solution]:
        """Every version of every solution, newest first."""
        return self._solutions.solutions()

    def solution(self, solution_id: str) -> Solution:
        """One solution. Raises NotFoundError."""
        return self._solutions.get(solution_id)

    def export(self, form: SolutionCreate) -> Solution:
        """Export a project as the next version of a name. Raises NotFoundError or InvalidInputError."""
        project = self._projects.project(form.project_id)
        check_launch_file(project.code, form.train_file)
        for optional in (form.test_file, form.main_file):
            if optional:
                check_launch_file(project.code, optional)
        solution = Solution(
            id=self._new_id(),
            name=checked_name(form.name),
            version=1,
            description=checked_text("description", form.description, MAX_DESCRIPTION),
            train_file=form.train_file,
            test_file=form.test_file,
            main_file=form.main_file,
            arguments=checked_arguments(form.arguments),
            device=checked_device(form.device),
            code=project.code,
            parameters=project.parameters,
            weights=self._weights(project, form.train_run_id) if form.train_run_id else (),
            project_id=project.id,
            train_run_id=form.train_run_id or None,
            created_at=self._now(),
        )
        return self._solutions.insert_next_version(solution)

    def archive(self, solution_id: str) -> tuple[Solution, Iterator[bytes]]:
        """A solution and its zip in chunks: code at the root, weights in their folder, solution.json."""
        solution = self.solution(solution_id)
        return solution, archive_chunks(solution, self._objects)

    def open(self, solution_id: str) -> Project:
        """A new project with the solution's code and settings. Raises NotFoundError."""
        return self._projects.open_solution(self.solution(solution_id))

    def _weights(self, project: Project, run_id: str) -> tuple[Weights, ...]:
        run = self._runs.get(run_id)
        if run.project_id != project.id or run.kind != "train":
            raise InvalidInputError("run_not_of_project", run=run.number, project=project.name)
        folder = weights_folder(project.code)
        found = tuple(
            Weights(path=f"{folder}/{a.path}", format=a.kind, sha256=a.sha256, size_bytes=a.size_bytes)
            for a in self._artifacts.artifacts(run_id)
            if a.kind in WEIGHTS_KINDS
        )
        if not found:
            raise InvalidInputError("run_without_weights", run=run.number)
        return found
