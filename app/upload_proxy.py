"""Routes of the file uploader (components/uploader.js): a file passes through in chunks, none of it stays here.

These change something, so beside the host guard they ask for a header that only our own pages can send: another site's
page would have to ask leave first (a CORS preflight), which nobody here gives.
"""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OWN_PAGE_HEADER = "x-arm-upload"
CHUNK_MAX_BYTES = 16 << 20
IMPORT_TIMEOUT = httpx.Timeout(60, connect=3, read=3600)
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class UploadProxy:
    """Passes requests on to the backend with the token it wants, which stays on this side."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    def routes(self) -> list[Route]:
        """To be mounted beside Streamlit's."""
        return [
            Route("/upload", self.begin, methods=["POST"]),
            Route("/upload/{upload_id}", self.one, methods=["GET", "PUT", "DELETE"]),
            Route("/upload/{upload_id}/dataset", self.import_dataset, methods=["POST"]),
            Route("/upload/{upload_id}/code/{project_id}", self.replace_code, methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """POST /upload?purpose=&size_bytes= : announce a file."""
        query = request.query_params
        body = {"purpose": query.get("purpose", ""), "size_bytes": query.get("size_bytes", "")}
        return await self._pass_on(request, "POST", "uploads", json=body)

    async def one(self, request: Request) -> Response:
        """GET, PUT ?offset= with a chunk, DELETE /upload/{id}."""
        options: dict[str, Any] = {}
        if request.method == "PUT":
            length = request.headers.get("content-length", "")
            if not length.isdecimal() or int(length) > CHUNK_MAX_BYTES:
                return _refused(413, "chunk_too_large", limit_mb=CHUNK_MAX_BYTES >> 20)
            options = {
                "params": {"offset": request.query_params.get("offset", "")},
                "content": _body(request),
                "headers": {"Content-Length": length},
            }
        return await self._pass_on(request, request.method, "uploads/{upload_id}", **options)

    async def import_dataset(self, request: Request) -> Response:
        """POST /upload/{id}/dataset?name= : make a dataset of it; answered when it is imported or refused."""
        params = {"name": request.query_params.get("name", ""), "upload": request.path_params["upload_id"]}
        return await self._pass_on(request, "POST", "datasets/import", params=params, timeout=IMPORT_TIMEOUT)

    async def replace_code(self, request: Request) -> Response:
        """POST /upload/{id}/code/{project} : make it the code of a project."""
        params = {"upload": request.path_params["upload_id"]}
        path = "projects/{project_id}/code"
        return await self._pass_on(request, "PUT", path, params=params, timeout=IMPORT_TIMEOUT)

    async def _pass_on(self, request: Request, method: str, path: str, **options: Any) -> Response:
        if not _is_from_own_page(request):
            return _refused(403, "upload_not_from_page")
        if not all(_ID.fullmatch(value) for value in request.path_params.values()):
            return _refused(404, "upload_not_found", id=request.path_params["upload_id"][:80])
        try:
            reply = await self._client.request(method, path.format(**request.path_params), **options)
        except httpx.TransportError as error:
            return _refused(503, "api_unavailable", detail=type(error).__name__, url=str(self._client.base_url))
        return Response(
            reply.content,
            reply.status_code,
            headers=_NO_STORE,
            media_type="application/json" if reply.content else None,
        )


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece


def _is_from_own_page(request: Request) -> bool:
    headers = request.headers
    origin = headers.get("origin")
    is_same = origin is None or urlsplit(origin).netloc == headers.get("host")
    is_near = headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return headers.get(OWN_PAGE_HEADER) == "1" and is_same and is_near


def _refused(status: int, code: str, **params: object) -> Response:
    body = {"code": code, "params": params, "message": code}
    return JSONResponse(body, status_code=status, headers=_NO_STORE)
