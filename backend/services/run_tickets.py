"""Lets an agent begin on a machine to which no secret can be carried unseen: a ticket, good for one exchange."""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime

from backend.contracts.base import Reason
from backend.contracts.workers import AgentReply, Ticket, TicketRequest
from backend.domain.errors import ConflictError, NotAllowedError
from backend.services.own_messages import OwnMessages
from backend.services.worker_service import token_hash
from backend.stores.mongo.run_store import RunStore
from backend.stores.mongo.run_ticket_store import RunTicketStore

log = logging.getLogger(__name__)


class RunTickets:
    """Whoever sees a ticket may use it first; then the real agent's use is the second one, and the run ends."""

    def __init__(
        self, tickets: RunTicketStore, runs: RunStore, own_messages: OwnMessages, now: Callable[[], datetime]
    ) -> None:
        self._tickets = tickets
        self._runs = runs
        self._own_messages = own_messages
        self._now = now

    def open(self, request: TicketRequest) -> Ticket:
        """A new ticket, the only one that is good from now on. Raises ConflictError when an agent has begun."""
        ticket = secrets.token_urlsafe(32)
        if not self._tickets.open(request.run_id, request.worker, token_hash(ticket), self._now()):
            raise ConflictError("run_has_agent", run=request.run_id)
        return Ticket(run_id=request.run_id, ticket=ticket)

    def renew(self, request: TicketRequest) -> AgentReply:
        """The run still waits for its agent: renew its lease. Raises ConflictError when an agent has begun."""
        is_stop_requested = self._tickets.renew(request.run_id, request.worker, self._now())
        if is_stop_requested is None:
            raise ConflictError("run_has_agent", run=request.run_id)
        return AgentReply(is_stop_requested=is_stop_requested)

    def use(self, run_id: str, ticket: str, token: str) -> None:
        """From now on `token` opens the run. Raises NotAllowedError; a ticket that comes a second time with another
        token has been seen by somebody whom it was not meant for, so the run ends and nobody's token opens it.
        """
        used = self._tickets.use(run_id, token_hash(ticket), token_hash(token), self._now())
        if used == "used_before":
            self._end(run_id, token_hash(ticket))
        if used != "used":
            raise NotAllowedError("token_refused")

    def _end(self, run_id: str, ticket_sha256: str) -> None:
        reason = Reason(code="ticket_used_twice")
        changes = {"reason": reason.model_dump(), "finished_at": self._now(), "token_sha256": None}
        if self._runs.move(run_id, "failed", changes, only_if={"used_ticket_sha256": ticket_sha256}) is not None:
            log.warning("run %s: its ticket came twice", run_id)
            self._own_messages.post(run_id, "ticket_used_twice", "error", reason)
