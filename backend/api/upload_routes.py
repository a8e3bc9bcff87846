"""/api/uploads: a file in chunks, before the import that uses it (`?upload=` of that import)."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from backend.api.dependencies import UploadsOf
from backend.contracts.uploads import Upload, UploadCreate
from backend.domain.errors import TooLargeError
from backend.services.upload_service import CHUNK_BYTES

router = APIRouter(prefix="/uploads", tags=["uploads"])


@router.post("")
def begin(body: UploadCreate, uploads: UploadsOf) -> Upload:
    """Announce a file."""
    return uploads.begin(body)


@router.get("/{upload_id}")
def get_upload(upload_id: str, uploads: UploadsOf) -> Upload:
    """How far it is."""
    return uploads.upload(upload_id)


@router.put("/{upload_id}")
async def append(
    upload_id: str, offset: Annotated[int, Query(ge=0, le=2**53)], request: Request, uploads: UploadsOf
) -> Upload:
    """The next chunk, the raw body. It counts when all of it has come: a broken one is sent again."""
    chunk = bytearray()
    async for piece in request.stream():
        chunk += piece
        if len(chunk) > CHUNK_BYTES:
            raise TooLargeError("chunk_too_large", limit_mb=CHUNK_BYTES >> 20)
    return await run_in_threadpool(uploads.append, upload_id, offset, bytes(chunk))


@router.delete("/{upload_id}", status_code=204)
def discard(upload_id: str, uploads: UploadsOf) -> None:
    """Give it up."""
    uploads.discard(upload_id)
