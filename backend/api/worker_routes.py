"""/api/workers: where workers ask for runs, and users look after them."""

import time

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from backend.api.dependencies import TicketsOf, WorkersOf
from backend.contracts.runs import Run
from backend.contracts.workers import (
    AdoptRequest,
    AgentReply,
    Claim,
    ClaimRequest,
    FolderVerdicts,
    Ticket,
    TicketRequest,
    Worker,
    WorkerFolders,
)

SLICE_S = 1.0

router = APIRouter(prefix="/workers", tags=["workers"])


@router.post("/claim", response_model=Claim)
async def claim(body: ClaimRequest, request: Request, workers: WorkersOf) -> Response | Claim:
    """A run for one of the worker's free devices, or 204 after `wait_s`.

    Waits in slices, so that nothing is handed to a worker that went away in the meantime.
    """
    await run_in_threadpool(workers.renew, body)
    deadline = time.monotonic() + body.wait_s
    while not await request.is_disconnected():
        claimed = await run_in_threadpool(workers.claim, body)
        remaining_s = deadline - time.monotonic()
        if claimed is not None or remaining_s <= 0:
            return claimed or Response(status_code=204)
        await run_in_threadpool(workers.wait, body, min(SLICE_S, remaining_s))
    return Response(status_code=204)


@router.post("/adopt")
def adopt(body: AdoptRequest, workers: WorkersOf) -> Claim:
    """A fresh token for a run that an earlier process of the worker's machine left behind."""
    return workers.adopt(body)


@router.post("/ticket")
def open_ticket(body: TicketRequest, tickets: TicketsOf) -> Ticket:
    """A ticket for the agent of a claimed run, where no token can be carried unseen."""
    return tickets.open(body)


@router.post("/waiting")
def renew_waiting(body: TicketRequest, tickets: TicketsOf) -> AgentReply:
    """The agent of a claimed run has not begun yet, but it will."""
    return tickets.renew(body)


@router.get("/{name}/runs")
def list_worker_runs(name: str, workers: WorkersOf) -> list[Run]:
    """Runs that occupy a slot of this worker."""
    return workers.runs(name)


@router.get("")
def list_workers(workers: WorkersOf) -> list[Worker]:
    """Every worker with its devices and what runs on them."""
    return workers.workers()


@router.post("/{name}/drain")
def drain(name: str, workers: WorkersOf) -> Worker:
    """Let it finish what it runs and take nothing new."""
    return workers.set_draining(name, True)


@router.post("/{name}/undrain")
def undrain(name: str, workers: WorkersOf) -> Worker:
    """Let it take runs again."""
    return workers.set_draining(name, False)


@router.post("/{name}/folders")
def judge_folders(name: str, body: WorkerFolders, workers: WorkersOf) -> FolderVerdicts:
    """A worker's disk, and which of its run folders may go."""
    return workers.folder_verdicts(name, body)


@router.delete("/{name}", status_code=204)
def remove(name: str, workers: WorkersOf) -> None:
    """Forget a worker that is away."""
    workers.remove(name)
