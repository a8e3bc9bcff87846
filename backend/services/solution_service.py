"""Everything a user can ask about exported solutions: export, list, download, open as a project."""

from collections.abc import Callable, Iterator
from datetime import datetime

from backend.contracts.projects import Code, Project, Solution, SolutionCreate, Weights
from backend.contracts.runs import Run
from backend.domain.code_tree import check_launch_file, files_from_manifest
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
        run = self._train_run(project, form.train_run_id) if form.train_run_id else None
        code = project.code if run is None else self._code_of(project, run)
        for path in (form.train_file, form.test_file, form.main_file):
            if path or path == form.train_file:
                check_launch_file(code, path)
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
            network=project.network if form.network is None else form.network,
            code=code,
            parameters=project.parameters,
            weights=project.weights if run is None else self._weights(code, run),
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

    def _train_run(self, project: Project, run_id: str) -> Run:
        run = self._runs.get(run_id)
        if run.project_id != project.id or run.kind != "train":
            raise InvalidInputError("run_not_of_project", run=run.number, project=project.name)
        return run

    def _code_of(self, project: Project, run: Run) -> Code:
        """The code that trained the weights, which the project may have changed since."""
        if run.code_sha256 == project.code.sha256:
            return project.code
        return Code(sha256=run.code_sha256, files=files_from_manifest(self._objects.read_bytes(run.code_sha256)))

    def _weights(self, code: Code, run: Run) -> tuple[Weights, ...]:
        folder = weights_folder(code)
        found = tuple(
            Weights(path=f"{folder}/{a.path}", format=a.kind, sha256=a.sha256, size_bytes=a.size_bytes)
            for a in self._artifacts.artifacts(run.id)
            if a.kind in WEIGHTS_KINDS
        )
        if not found:
            raise InvalidInputError("run_without_weights", run=run.number)
        return found
