"""Projects: working copies that several tabs may change at once."""

from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database

from backend.contracts.projects import Project
from backend.domain.errors import NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors


@translates_driver_errors
class ProjectStore:
    """Every change is a compare-and-set on a counter, so no change of another tab is lost silently."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["projects"]

    def insert(self, project: Project) -> None:
        """Add a new project."""
        self._collection.insert_one({**_to_document(project), "_id": project.id, "change": 0})

    def projects(self) -> list[Project]:
        """Every project, the last changed first."""
        return [_from_document(document) for document in self._collection.find().sort("updated_at", DESCENDING)]

    def get(self, project_id: str) -> tuple[Project, int]:
        """A project and its change counter. Raises NotFoundError."""
        document = self._collection.find_one({"_id": project_id})
        if document is None:
            raise NotFoundError("project_not_found", id=project_id)
        return _from_document(document), document["change"]

    def replace(self, project: Project, change: int) -> bool:
        """Write a changed project if its counter is still `change`; False when somebody was faster."""
        fields = {**_to_document(project), "change": change + 1}
        done = self._collection.update_one({"_id": project.id, "change": change}, {"$set": fields})
        return done.matched_count == 1

    def remove(self, project_id: str) -> None:
        """Delete a project. Raises NotFoundError."""
        if not self._collection.delete_one({"_id": project_id}).deleted_count:
            raise NotFoundError("project_not_found", id=project_id)


def _to_document(project: Project) -> dict[str, Any]:
    return project.model_dump(exclude={"id"})


def _from_document(document: dict[str, Any]) -> Project:
    fields = {key: value for key, value in document.items() if key not in ("_id", "change")}
    return Project.model_validate({**fields, "id": document["_id"]})
