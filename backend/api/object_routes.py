"""/api/objects: stored files by their hash. They never change, so browsers may keep them for ever."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from backend.api.dependencies import ObjectsOf, ThumbnailsOf, object_reader
from backend.stores.object_store import ObjectStore

router = APIRouter(prefix="/objects", tags=["objects"], dependencies=[Depends(object_reader)])

# Users' bytes are never served as a type that a browser would run.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
)


@router.get("/{sha256}")
def get_object(
    sha256: str,
    request: Request,
    objects: ObjectsOf,
    thumbnails: ThumbnailsOf,
    width: Annotated[int | None, Query(ge=32, le=4096)] = None,
) -> Response:
    """The bytes of an object, or a JPEG thumbnail of an image at most `width` pixels wide."""
    size_bytes = objects.size_bytes(sha256)
    headers = {
        "ETag": f'"{sha256}-{width}"' if width else f'"{sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if width is not None:
        return Response(thumbnails.thumbnail(sha256, width), media_type="image/jpeg", headers=headers)
    headers["Content-Length"] = str(size_bytes)
    return StreamingResponse(objects.stream(sha256), media_type=_content_type(objects, sha256), headers=headers)


def _content_type(objects: ObjectStore, sha256: str) -> str:
    with objects.open(sha256) as file:
        start = file.read(16)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in SIGNATURES if start.startswith(signature)), "application/octet-stream")
