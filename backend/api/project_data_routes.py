"""/api/agent/runs/{run_id}/documents|keys|files: what a running script keeps for its project (PlatformAPI's stores).

The script's calls come through its agent (backend/runs/script_gateway.py). The project is that of the run, whatever is
asked; once the run has ended nothing here opens any longer.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from backend.api.agent_routes import run_token_only
from backend.api.dependencies import AgentsOf, ObjectsOf, ProjectDataOf
from backend.api.thread_limits import in_script_thread
from backend.api.uploads import received_body
from backend.contracts.base import Contract
from backend.contracts.project_data import (
    DocumentChange,
    DocumentCount,
    DocumentDelete,
    DocumentFind,
    DocumentInsert,
    DocumentPage,
    DocumentReplace,
    DocumentUpdate,
    Key,
    KeyExpiry,
    KeyIncrement,
    KeyPop,
    KeyPush,
    KeyRange,
    KeyReply,
    KeySearch,
    KeySet,
    ProjectFile,
    ProjectFilePage,
)
from backend.domain.errors import InvalidInputError, TooLargeError

JSON_MAX_BYTES = 8 << 20
Body = TypeVar("Body", bound=Contract)


def _project_of_run(run_id: str, agents: AgentsOf, _: Annotated[None, Depends(run_token_only)]) -> str:
    """The project of an active run. Raises NotAllowedError."""
    return agents.project_of(run_id)


ProjectOf = Annotated[str, Depends(_project_of_run)]
router = APIRouter(prefix="/agent/runs/{run_id}", tags=["data of projects"])


def _json(model: type[Body]) -> Callable[[Request], Coroutine[Any, Any, Body]]:
    """Dependency: the body as `model`, within a limit that FastAPI does not have."""

    async def read(request: Request) -> Body:
        content = bytearray()
        try:
            async for chunk in request.stream():
                content += chunk
                if len(content) > JSON_MAX_BYTES:
                    raise TooLargeError("upload_too_large", limit_mb=JSON_MAX_BYTES >> 20)
        except ClientDisconnect:
            raise InvalidInputError("upload_interrupted") from None
        try:
            return model.model_validate_json(bytes(content))
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None

    return read


@router.get("/documents")
async def list_collections(request: Request, project_id: ProjectOf, data: ProjectDataOf) -> list[str]:
    """Collections of the project that hold something."""
    return await in_script_thread(request, data.documents.collections, project_id)


def _add_document_route(command: str, model: type[Contract], reply: type[Contract]) -> None:
    async def answer(
        request: Request,
        project_id: ProjectOf,
        collection: str,
        data: ProjectDataOf,
        body: Annotated[Any, Depends(_json(model))],
    ) -> Any:
        return await in_script_thread(request, getattr(data.documents, command), project_id, collection, body)

    path = f"/documents/{{collection}}/{command}"
    router.add_api_route(path, answer, methods=["POST"], name=f"document_{command}", response_model=reply)


def _add_key_route(command: str, model: type[Contract]) -> None:
    async def answer(
        request: Request, project_id: ProjectOf, data: ProjectDataOf, body: Annotated[Any, Depends(_json(model))]
    ) -> KeyReply:
        return await in_script_thread(request, getattr(data.keys, command), project_id, body)

    router.add_api_route(f"/keys/{command}", answer, methods=["POST"], name=f"key_{command}")


_DOCUMENT_COMMANDS: dict[str, tuple[type[Contract], type[Contract]]] = {
    "insert": (DocumentInsert, DocumentChange),
    "find": (DocumentFind, DocumentPage),  # A page of at most 8 MiB.
    "count": (DocumentCount, DocumentChange),
    "update": (DocumentUpdate, DocumentChange),
    "replace": (DocumentReplace, DocumentChange),
    "delete": (DocumentDelete, DocumentChange),
}
for _command, (_model, _reply) in _DOCUMENT_COMMANDS.items():
    _add_document_route(_command, _model, _reply)

_KEY_COMMANDS: dict[str, type[Contract]] = {
    "set": KeySet,
    "get": Key,
    "incr": KeyIncrement,
    "expire": KeyExpiry,
    "ttl": Key,
    "delete": Key,
    "push": KeyPush,
    "pop": KeyPop,
    "list": KeyRange,
    "keys": KeySearch,
}
for _command, _model in _KEY_COMMANDS.items():
    _add_key_route(_command, _model)


@router.get("/files")
async def list_files(
    request: Request,
    project_id: ProjectOf,
    data: ProjectDataOf,
    prefix: str = "",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> ProjectFilePage:
    """Files of the project in the order of their names."""
    return await in_script_thread(request, data.files.page, project_id, prefix, after, limit)


@router.put("/files")
async def put_file(
    request: Request, project_id: ProjectOf, data: ProjectDataOf, objects: ObjectsOf, name: str
) -> ProjectFile:
    """Keep a file, the raw body."""
    free_bytes = await in_script_thread(request, data.files.checked_room, project_id, name)
    try:
        async with received_body(request, objects, free_bytes) as received:
            return await in_script_thread(request, data.files.put, project_id, name, received)
    except TooLargeError as error:
        if error.code != "upload_too_large":
            raise
        raise data.files.too_large() from None


@router.get("/files/info")
async def file_info(request: Request, project_id: ProjectOf, data: ProjectDataOf, name: str) -> ProjectFile:
    """What is kept under a name."""
    return await in_script_thread(request, data.files.file, project_id, name)


@router.get("/files/content")
async def file_content(request: Request, project_id: ProjectOf, data: ProjectDataOf, name: str) -> Response:
    """The bytes of a file."""
    file = await in_script_thread(request, data.files.file, project_id, name)
    chunks = await in_script_thread(request, data.files.content, project_id, file)
    headers = {"Content-Length": str(file.size_bytes), "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@router.delete("/files")
async def delete_file(request: Request, project_id: ProjectOf, data: ProjectDataOf, name: str) -> KeyReply:
    """Forget a file; `value` is whether it was there."""
    return KeyReply(value=await in_script_thread(request, data.files.delete, project_id, name))
