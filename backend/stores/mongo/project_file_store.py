"""Files that scripts keep for their project: a name, and the hash under which the bytes lie among the project's."""

from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from backend.contracts.project_data import ProjectFile
from backend.stores.mongo.driver_errors import translates_driver_errors


@translates_driver_errors
class ProjectFileStore:
    """One document per name; a file that is saved again replaces the former."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._files = database["project_files"]

    def put(self, project_id: str, file: ProjectFile) -> None:
        """Store or replace."""
        key = {"project_id": project_id, "name": file.name}
        self._files.replace_one(key, {"project_id": project_id, **file.model_dump()}, upsert=True)

    def find(self, project_id: str, name: str) -> ProjectFile | None:
        """One file, or None."""
        document = self._files.find_one({"project_id": project_id, "name": name})
        return None if document is None else _from_document(document)

    def page(self, project_id: str, prefix: str, after: str, limit: int) -> list[ProjectFile]:
        """Files whose names begin with `prefix` and come behind `after`, in the order of their names."""
        name: dict[str, Any] = {"$gt": after, "$gte": prefix, "$lt": prefix + "\U0010ffff"}
        found = self._files.find({"project_id": project_id, "name": name}).sort("name", ASCENDING).limit(limit)
        return [_from_document(document) for document in found]

    def has_object(self, project_id: str, sha256: str) -> bool:
        """Whether a name of the project leads to these bytes."""
        return self._files.find_one({"project_id": project_id, "sha256": sha256}, {"_id": 1}) is not None

    def remove(self, project_id: str, name: str) -> ProjectFile | None:
        """Forget a name; the answer is what it was."""
        document = self._files.find_one_and_delete({"project_id": project_id, "name": name})
        return None if document is None else _from_document(document)

    def usage(self, project_id: str) -> tuple[int, int]:
        """Files of a project and the bytes that they name."""
        size = {"$group": {"_id": None, "count": {"$sum": 1}, "bytes": {"$sum": "$size_bytes"}}}
        found = next(iter(self._files.aggregate([{"$match": {"project_id": project_id}}, size])), None)
        return (0, 0) if found is None else (int(found["count"]), int(found["bytes"]))

    def remove_project(self, project_id: str) -> None:
        """Forget every file of a project."""
        self._files.delete_many({"project_id": project_id})


def _from_document(document: dict[str, Any]) -> ProjectFile:
    return ProjectFile(**{name: document[name] for name in ProjectFile.model_fields})
