"""Files that the scripts of a project keep: names in the database, bytes by their hash in a place of the project's own.

Not among the objects that runs and datasets share: bytes that no name leads to any longer are deleted at once.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from backend.contracts.project_data import ProjectFile, ProjectFilePage
from backend.domain.archive_rules import safe_path
from backend.domain.errors import NotFoundError, TooLargeError
from backend.services.project_quota import ProjectQuota
from backend.stores.mongo.project_file_store import ProjectFileStore
from backend.stores.object_store import ObjectStore


class ProjectFiles:
    """`objects_of(project_id)` is where the bytes of a project lie."""

    def __init__(
        self,
        files: ProjectFileStore,
        objects_of: Callable[[str], ObjectStore],
        quota: ProjectQuota,
        now: Callable[[], datetime],
    ) -> None:
        self._files = files
        self._objects_of = objects_of
        self._quota = quota
        self._now = now

    def checked_room(self, project_id: str, name: str) -> int:
        """Bytes that may still be added, asked before they are received. Raises InvalidInputError for the name."""
        safe_path(name)
        return self._quota.free_bytes(project_id)

    def too_large(self) -> TooLargeError:
        """What is raised when a file that is being received passes that."""
        return self._quota.too_large()

    def put(self, project_id: str, name: str, received: Path) -> ProjectFile:
        """Keep a file under a name, replacing what was there. Raises InvalidInputError for a path that climbs."""
        name = safe_path(name)
        size_bytes = received.stat().st_size
        objects = self._objects_of(project_id)
        former = self._files.find(project_id, name)
        with self._quota.room_for(project_id, int(former is None), size_bytes):
            former = self._files.find(project_id, name)
            sha256 = objects.put_file(received)
            file = ProjectFile(name=name, size_bytes=size_bytes, sha256=sha256, updated_at=self._now())
            self._files.put(project_id, file)
            if former is not None and former.sha256 != sha256:
                self._forget(project_id, objects, former.sha256)
        return file

    def file(self, project_id: str, name: str) -> ProjectFile:
        """One file. Raises NotFoundError('project_file_not_found')."""
        name = safe_path(name)
        found = self._files.find(project_id, name)
        if found is None:
            raise NotFoundError("project_file_not_found", name=name)
        return found

    def content(self, project_id: str, file: ProjectFile) -> Iterator[bytes]:
        """The bytes of a file in chunks; it may be replaced meanwhile."""
        source = self._objects_of(project_id).open(file.sha256)

        def chunks() -> Iterator[bytes]:
            with source:
                while chunk := source.read(1 << 20):
                    yield chunk

        return chunks()

    def page(self, project_id: str, prefix: str, after: str, limit: int) -> ProjectFilePage:
        """Files in the order of their names."""
        found = self._files.page(project_id, prefix, after, limit + 1)
        files = tuple(found[:limit])
        return ProjectFilePage(files=files, next_after=files[-1].name if len(found) > limit else None)

    def delete(self, project_id: str, name: str) -> bool:
        """Forget a file. False when it was not there."""
        with self._quota.less(project_id):
            removed = self._files.remove(project_id, safe_path(name))
            if removed is not None:
                self._forget(project_id, self._objects_of(project_id), removed.sha256)
        return removed is not None

    def remove_project(self, project_id: str) -> None:
        """Delete everything of a project."""
        with self._quota.less(project_id):
            self._files.remove_project(project_id)
            self._objects_of(project_id).remove_all()

    def _forget(self, project_id: str, objects: ObjectStore, sha256: str) -> None:
        if not self._files.has_object(project_id, sha256):
            objects.remove(sha256)
