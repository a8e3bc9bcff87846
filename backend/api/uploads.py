"""Receives a raw request body into a scratch file, in flat memory and within a limit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from backend.domain.errors import InvalidInputError, TooLargeError, UnavailableError
from backend.stores.object_store import ObjectStore

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
            raise UnavailableError("storage_failed", detail=str(error)) from None
        yield Path(scratch.name)
