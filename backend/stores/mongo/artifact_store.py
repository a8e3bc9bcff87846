"""Files that runs produced: path in the run's artifacts, kind, and the hash under which the bytes are stored."""

import json
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from backend.contracts.reports import Artifact
from backend.stores.mongo.driver_errors import translates_driver_errors


@translates_driver_errors
class ArtifactStore:
    """One document per path of a run; a file that was saved again replaces the former."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._artifacts = database["artifacts"]

    def put(self, run_id: str, artifact: Artifact) -> None:
        """Store or replace."""
        document = {"_id": f"{run_id}:{artifact.path}", "run_id": run_id, **artifact.model_dump()}
        document["info"] = json.dumps(artifact.info, ensure_ascii=False)
        self._artifacts.replace_one({"_id": document["_id"]}, document, upsert=True)

    def artifacts(self, run_id: str) -> list[Artifact]:
        """All files of a run, ordered by path."""
        return [_from_document(d) for d in self._artifacts.find({"run_id": run_id}).sort("path", ASCENDING)]

    def find(self, run_id: str, path: str) -> Artifact | None:
        """One file, or None."""
        document = self._artifacts.find_one({"_id": f"{run_id}:{path}"})
        return None if document is None else _from_document(document)

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        self._artifacts.delete_many({"run_id": run_id})


def _from_document(document: dict[str, Any]) -> Artifact:
    fields = {name: document[name] for name in ("path", "kind", "sha256", "size_bytes", "created_at")}
    return Artifact(info=json.loads(document["info"]), **fields)
