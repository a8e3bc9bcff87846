"""Exported solutions: versions of a name count up from 1 and never change."""

from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.contracts.projects import Solution
from backend.domain.errors import ConflictError, NotFoundError
from backend.stores.mongo.driver_errors import translates_driver_errors

NUMBER_ATTEMPTS = 20


@translates_driver_errors
class SolutionStore:
    """There is no update and no delete: what was exported stays what it was."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["solutions"]

    def insert_next_version(self, solution: Solution) -> Solution:
        """Add a solution under the next free version of its name. Raises ConflictError when too many do at once."""
        for _ in range(NUMBER_ATTEMPTS):
            newest = self._collection.find_one({"name": solution.name}, {"version": 1}, sort=[("version", DESCENDING)])
            numbered = solution.model_copy(update={"version": 1 if newest is None else newest["version"] + 1})
            try:
                self._collection.insert_one({"_id": numbered.id, **numbered.model_dump(exclude={"id"})})
            except DuplicateKeyError:
                continue
            return numbered
        raise ConflictError("solution_busy", name=solution.name)

    def solutions(self) -> list[Solution]:
        """Every version of every solution, newest first."""
        return [_from_document(document) for document in self._collection.find().sort("created_at", DESCENDING)]

    def get(self, solution_id: str) -> Solution:
        """One solution. Raises NotFoundError."""
        document = self._collection.find_one({"_id": solution_id})
        if document is None:
            raise NotFoundError("solution_not_found", id=solution_id)
        return _from_document(document)


def _from_document(document: dict[str, Any]) -> Solution:
    fields = {key: value for key, value in document.items() if key != "_id"}
    return Solution.model_validate({**fields, "id": document["_id"]})
