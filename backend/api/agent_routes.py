"""/api/agent/runs/{run_id}: spoken by the agent of that run alone, with the run's own token."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from backend.api.access import bearer_token
from backend.api.dependencies import AgentsOf, ObjectsOf, SettingsOf
from backend.api.thread_limits import in_agent_thread
from backend.api.uploads import received_body
from backend.contracts.datasets import Split
from backend.contracts.reports import Artifact
from backend.contracts.workers import AgentReply, Heartbeat, RunFinished, RunSpec, RunStarted, SampleManifest
from backend.domain.errors import InvalidInputError, NotAllowedError, TooLargeError
from backend.domain.event_lines import check_depth

BATCH_MAX_BYTES = 20 << 20


async def run_token_only(request: Request, run_id: str, agents: AgentsOf) -> None:
    """Raises NotAllowedError unless the token of this run came along."""
    if not await in_agent_thread(request, agents.is_run_token, run_id, bearer_token(request)):
        raise NotAllowedError("token_refused")


router = APIRouter(prefix="/agent/runs/{run_id}", tags=["agents"], dependencies=[Depends(run_token_only)])


@router.get("/spec")
def get_spec(run_id: str, agents: AgentsOf) -> RunSpec:
    """What is needed to prepare the run folder."""
    return agents.spec(run_id)


@router.get("/samples/{role}")
def get_sample(run_id: str, role: Split, agents: AgentsOf) -> SampleManifest:
    """Elements of one role."""
    return agents.sample(run_id, role)


@router.post("/started")
def started(run_id: str, body: RunStarted, agents: AgentsOf) -> AgentReply:
    """The script's process exists."""
    return agents.started(run_id, body)


@router.post("/heartbeat")
def heartbeat(run_id: str, body: Heartbeat, agents: AgentsOf) -> AgentReply:
    """Renew the lease."""
    return agents.heartbeat(run_id, body)


@router.post("/finished")
async def finished(run_id: str, body: RunFinished, request: Request, agents: AgentsOf) -> AgentReply:
    """The script's process is gone."""
    return await in_agent_thread(request, agents.finished, run_id, body)


@router.post("/events")
async def events(
    run_id: str,
    file: Annotated[str, Query(pattern=r"^[\w-]{1,100}\.jsonl$")],
    offset: Annotated[int, Query(ge=0, le=2**53)],
    request: Request,
    agents: AgentsOf,
    skipped_bytes: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> AgentReply:
    """A batch of whole event lines, the raw body; or `skipped_bytes`: the length of one line too long to be sent."""
    if skipped_bytes:
        return await in_agent_thread(request, agents.skip_line, run_id, file, offset, skipped_bytes)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > BATCH_MAX_BYTES:
            raise TooLargeError("upload_too_large", limit_mb=BATCH_MAX_BYTES >> 20)
    return await in_agent_thread(request, agents.events, run_id, file, offset, bytes(content))


@router.get("/artifacts")
def list_artifacts(run_id: str, agents: AgentsOf) -> list[Artifact]:
    """Files that have arrived."""
    return agents.artifacts(run_id)


@router.put("/artifacts")
async def put_artifact(
    run_id: str,
    path: str,
    sha256: str,
    kind: str,
    request: Request,
    agents: AgentsOf,
    objects: ObjectsOf,
    settings: SettingsOf,
    info: Annotated[str, Query(max_length=16_384)] = "{}",
) -> Artifact:
    """A file that the run produced, the raw body; `info` is a JSON object."""
    async with received_body(request, objects, settings.artifact_max_mb << 20) as received:
        return await in_agent_thread(
            request, agents.artifact, run_id, path, kind, sha256, _object_from_json(info), received
        )


def _object_from_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
        check_depth(value)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidInputError("artifact_info_invalid")
    return value
