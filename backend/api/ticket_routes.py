"""/api/agent/runs/{run_id}/token: where the agent of a cluster job exchanges its ticket for a token."""

from fastapi import APIRouter, Request

from backend.api.access import bearer_token
from backend.api.dependencies import TicketsOf
from backend.contracts.workers import TicketUse

router = APIRouter(prefix="/agent/runs/{run_id}", tags=["agents"])


@router.post("/token", status_code=204)
def use_ticket(run_id: str, body: TicketUse, request: Request, tickets: TicketsOf) -> None:
    """The token in the body opens the run from now on; the ticket comes as the bearer token, and once only."""
    tickets.use(run_id, bearer_token(request), body.token)
