"""Tickets of runs whose agent starts somewhere else: fields of the run documents, changed conditionally."""

from datetime import datetime
from typing import Any, Literal

from pymongo.database import Database

from backend.domain import run_lifecycle
from backend.stores.mongo.driver_errors import translates_driver_errors


@translates_driver_errors
class RunTicketStore:
    """A run has at most one ticket at a time; once one was used there is no other for this claim."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._runs = database["runs"]

    def open(self, run_id: str, worker: str, ticket_sha256: str, now: datetime) -> bool:
        """Give a claimed run a ticket instead of its token and its former ticket. False when an agent has begun."""
        changes = {"token_sha256": None, "ticket_sha256": ticket_sha256, "heartbeat_at": now}
        return self._runs.update_one(_unused(run_id, worker), {"$set": changes}).matched_count == 1

    def renew(self, run_id: str, worker: str, now: datetime) -> bool | None:
        """Renew the lease; the answer is whether a stop is requested, None when an agent has begun."""
        document = self._runs.find_one_and_update(
            _unused(run_id, worker), {"$set": {"heartbeat_at": now}}, projection={"is_stop_requested": 1}
        )
        return None if document is None else bool(document["is_stop_requested"])

    def use(
        self, run_id: str, ticket_sha256: str, token_sha256: str, now: datetime
    ) -> Literal["used", "unknown", "used_before"]:
        """Exchange a ticket for a token; the same exchange again is no second one."""
        changes = {
            "token_sha256": token_sha256,
            "ticket_sha256": None,
            "used_ticket_sha256": ticket_sha256,
            "heartbeat_at": now,
            "has_agent": True,
        }
        active = {"_id": run_id, "state": {"$in": list(run_lifecycle.ACTIVE_STATES)}}
        if self._runs.update_one(active | {"ticket_sha256": ticket_sha256}, {"$set": changes}).matched_count:
            return "used"
        document = self._runs.find_one({"_id": run_id, "used_ticket_sha256": ticket_sha256}, {"token_sha256": 1})
        if document is None:
            return "unknown"
        return "used" if document["token_sha256"] == token_sha256 else "used_before"


def _unused(run_id: str, worker: str) -> dict[str, Any]:
    return {"_id": run_id, "state": "starting", "worker": worker, "has_agent": False, "used_ticket_sha256": None}
