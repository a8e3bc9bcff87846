"""Versions of pipeline files: a named state of a file that code, being content-addressed, keeps anyway."""

from collections.abc import Callable, Iterable
from datetime import datetime

from backend.contracts.pipelines import PIPELINE_SUFFIXES, PipelineVersion, PipelineVersionCreate
from backend.domain.code_tree import file_at
from backend.domain.errors import InvalidInputError
from backend.services.project_service import ProjectService
from backend.stores.mongo.pipeline_version_store import PipelineVersionStore


class PipelineVersions:
    """`release` is told of texts that nothing here names any longer."""

    def __init__(
        self,
        versions: PipelineVersionStore,
        projects: ProjectService,
        release: Callable[[Iterable[str]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._versions = versions
        self._projects = projects
        self._release = release
        self._now = now

    def versions(self, project_id: str, path: str) -> list[PipelineVersion]:
        """Versions of a file, the newest first; also of a file that is gone by now."""
        self._projects.project(project_id)
        return self._versions.versions(project_id, path)

    def create(self, project_id: str, create: PipelineVersionCreate) -> PipelineVersion:
        """Keep the saved state of a file; the newest version if that is this state already. Raises NotFoundError."""
        if not create.path.endswith(PIPELINE_SUFFIXES):
            raise InvalidInputError("pipeline_path_bad", path=create.path[:200])
        file = file_at(self._projects.project(project_id).code, create.path)
        newest = next(iter(self._versions.versions(project_id, file.path)), None)
        if newest is not None and newest.sha256 == file.sha256:
            return newest
        version = PipelineVersion(
            project_id=project_id,
            path=file.path,
            number=0,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            note=create.note.strip(),
            created_at=self._now(),
        )
        return self._versions.add(version)

    def remove_project(self, project_id: str) -> None:
        """Forget the versions of a project."""
        self._release(self._versions.remove_project(project_id))
