"""The file of an import: a raw request body, received in flat memory and within a limit, or an upload in chunks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from backend.contracts.uploads import UploadPurpose
from backend.domain.errors import InvalidInputError, TooLargeError
from backend.services.upload_service import write_failed
from backend.stores.object_store import ObjectStore
from backend.wiring import Connections, Services

WRITE_BYTES = 1 << 20


@asynccontextmanager
async def received_body(request: Request, objects: ObjectStore, max_bytes: int) -> AsyncIterator[Path]:
    """The body as a file that is removed afterwards, whatever happens.

    Raises TooLargeError('upload_too_large') as soon as the limit is passed, InvalidInputError('upload_interrupted')
    when the sender went away, UnavailableError when the disk is full.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise TooLargeError("upload_too_large", limit_mb=max(1, max_bytes >> 20))
    with objects.scratch_file() as scratch:
        received = 0
        buffer = bytearray()
        try:
            async for chunk in request.stream():
                received += len(chunk)
                if received > max_bytes:
                    raise TooLargeError("upload_too_large", limit_mb=max(1, max_bytes >> 20))
                buffer += chunk
                if len(buffer) >= WRITE_BYTES:
                    await run_in_threadpool(scratch.write, bytes(buffer))
                    buffer.clear()
            await run_in_threadpool(scratch.write, bytes(buffer))
            await run_in_threadpool(scratch.flush)
        except ClientDisconnect:
            raise InvalidInputError("upload_interrupted") from None
        except OSError as error:
            raise write_failed(error) from None
        yield Path(scratch.name)


@asynccontextmanager
async def sent_file(
    request: Request, upload: str | None, purpose: UploadPurpose, max_bytes: int
) -> AsyncIterator[Path]:
    """The file of an import: that of the upload where one is named, else the body. Raises as both of them do."""
    if upload is None:
        objects = cast(Connections, request.app.state.connections).objects
        async with received_body(request, objects, max_bytes) as body:
            yield body
    else:
        uploads = cast(Services, request.app.state.services).uploads
        with uploads.taken(upload, purpose) as file:
            yield file
