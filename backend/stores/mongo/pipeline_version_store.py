"""Kept states of pipeline files: the hash of the file and a number. The text is an object."""

from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.contracts.pipelines import PipelineVersion
from backend.stores.mongo.driver_errors import translates_driver_errors

ATTEMPTS = 20
MAX_LISTED = 500


@translates_driver_errors
class PipelineVersionStore:
    """Versions are never changed; numbers of a file have no gaps while it is there."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._versions = database["pipeline_versions"]

    def versions(self, project_id: str, path: str) -> list[PipelineVersion]:
        """Versions of a file, the newest first."""
        found = self._versions.find({"project_id": project_id, "path": path}).sort("number", DESCENDING)
        return [_from_document(document) for document in found.limit(MAX_LISTED)]

    def add(self, version: PipelineVersion) -> PipelineVersion:
        """Keep it under the next number, whatever number it has."""
        attempt = 0
        while True:
            newest = next(iter(self.versions(version.project_id, version.path)), None)
            numbered = version.model_copy(update={"number": (newest.number if newest else 0) + 1})
            try:
                self._versions.insert_one(numbered.model_dump())
            except DuplicateKeyError:
                attempt += 1
                if attempt == ATTEMPTS:
                    raise
            else:
                return numbered

    def remove_project(self, project_id: str) -> list[str]:
        """Forget all versions of a project; the answer is the hashes that they named."""
        hashes = [str(found) for found in self._versions.distinct("sha256", {"project_id": project_id})]
        self._versions.delete_many({"project_id": project_id})
        return hashes


def _from_document(document: dict[str, Any]) -> PipelineVersion:
    return PipelineVersion(**{name: document[name] for name in PipelineVersion.model_fields})
