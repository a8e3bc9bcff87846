"""Routes beside the pages: images, downloads and graph points, fetched from the backend with the token it wants.

The token stays on this side. What comes back was uploaded by someone, so nothing is served in a way a browser could
run: only raster images are shown in place, everything else is a download. Uploads: upload_proxy.py.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from app.upload_proxy import UploadProxy

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_SHOWN_IN_PLACE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"})
_SAFE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
# a name is a hash of the content, so an answer never grows old
_IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
VENDOR = Path(__file__).parent / "vendor"
VENDORED = ("codemirror.js", "viz.js")
_MAX_WIDTH = 8192
_MAX_POINTS = 20_000
_HEALTH_KEPT_S = 1.0
_HEALTH_TIMEOUT = httpx.Timeout(4, connect=1)  # the backend itself waits two seconds for each store


class Proxy:
    """Fetches from the backend at `api_url`, sending `headers` with every request."""

    def __init__(self, api_url: str, headers: Mapping[str, str]) -> None:
        # trust_env off: a proxy in the environment must not see requests to loopback
        self._client = httpx.AsyncClient(
            base_url=api_url, headers=headers, timeout=httpx.Timeout(60, connect=3), trust_env=False
        )
        self._health: tuple[int, bytes] = (503, b"{}")
        self._health_until = 0.0
        self._health_lock = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(self, _app: Any) -> AsyncIterator[None]:
        """Close the connections when the server stops."""
        async with self._client:
            yield

    def routes(self) -> list[Route]:
        """The routes to mount beside Streamlit's (which keeps /media, /static and /component for itself)."""
        return [
            Route("/healthz", self.healthz),
            Route("/home", lambda _request: RedirectResponse("/")),  # Streamlit serves the first page at / only
            Route("/objects/{sha256}", self.image),
            Route("/live/health", self.health),
            Route("/live/{run_id}/points", self.points),
            Route("/download/solutions/{solution_id}", self.solution),
            Route("/download/runs/{run_id}/{stream}.log", self.log),
            Route("/download/{sha256}/{filename}", self.download),
            Route("/vendor/plotly.min.js", self.plotly),
            *(Route(f"/vendor/{name}", self.vendored) for name in VENDORED),
            *UploadProxy(self._client).routes(),
        ]

    async def healthz(self, _request: Request) -> Response:
        """This process is up; says nothing of the backend."""
        return JSONResponse({"status": "ok"})

    async def health(self, _request: Request) -> Response:
        """GET /live/health : {status, mongo, redis}, or 503 when the backend is away; asked once for all tabs."""
        async with self._health_lock:
            if time.monotonic() >= self._health_until:
                reply = await self._fetch("health", {}, timeout=_HEALTH_TIMEOUT)
                self._health = (reply.status_code, await reply.aread())
                await reply.aclose()
                self._health_until = time.monotonic() + _HEALTH_KEPT_S
        status, body = self._health
        headers = {**_SAFE_HEADERS, "Cache-Control": "no-store"}
        return Response(body, status_code=status, media_type="application/json", headers=headers)

    async def image(self, request: Request) -> Response:
        """GET /objects/{sha256}?width= : an image of a dataset or of a run."""
        sha256 = request.path_params["sha256"]
        width = request.query_params.get("width", "")
        if not _SHA256.fullmatch(sha256):
            return _refused("bad_object_name", name=sha256[:80])
        if width and not (width.isascii() and width.isdigit() and 0 < int(width) <= _MAX_WIDTH):
            return _refused("field_invalid", field="width", detail=width[:20])
        reply = await self._fetch(f"objects/{sha256}", {"width": width} if width else {})
        kind = reply.headers.get("content-type", "").partition(";")[0]
        return self._streamed(reply, _IMMUTABLE, filename=None if kind in _SHOWN_IN_PLACE else sha256)

    async def download(self, request: Request) -> Response:
        """GET /download/{sha256}/{filename} : a stored file under a name people understand."""
        sha256 = request.path_params["sha256"]
        if not _SHA256.fullmatch(sha256):
            return _refused("bad_object_name", name=sha256[:80])
        reply = await self._fetch(f"objects/{sha256}", {})
        return self._streamed(reply, _IMMUTABLE, filename=request.path_params["filename"])

    async def solution(self, request: Request) -> Response:
        """GET /download/solutions/{id} : an exported solution as a zip; the backend names the file."""
        solution_id = request.path_params["solution_id"]
        if not _ID.fullmatch(solution_id):
            return _refused("bad_object_name", name=solution_id[:80])
        reply = await self._fetch(f"solutions/{solution_id}/archive", {})
        named = reply.headers.get("content-disposition")
        return self._streamed(reply, {"Content-Disposition": named} if named else {}, filename=f"{solution_id}.zip")

    async def log(self, request: Request) -> Response:
        """GET /download/runs/{id}/stdout.log : what a script printed, passed on in pieces, whatever its length."""
        run_id, stream = request.path_params["run_id"], request.path_params["stream"]
        if not _ID.fullmatch(run_id) or stream not in ("stdout", "stderr"):
            return _refused("bad_object_name", name=f"{run_id}/{stream}"[:80])
        reply = await self._fetch(f"runs/{run_id}/logs/{stream}", {})
        return self._streamed(reply, {"Cache-Control": "no-store"}, filename=f"{run_id}-{stream}.log")

    async def points(self, request: Request) -> Response:
        """GET /live/{run_id}/points : the graphs, for live_charts, whole or in a range; 304 when nothing is new."""
        run_id = request.path_params["run_id"]
        if not _ID.fullmatch(run_id):
            return _refused("bad_object_name", name=run_id[:80])
        query = request.query_params
        params = httpx.QueryParams([("series", name) for name in query.getlist("series")])
        for name, maximum in (
            ("max_points", _MAX_POINTS),
            ("version", 2**53),
            ("from_step", 2**62),
            ("to_step", 2**62),
        ):
            if _INTEGER.fullmatch(value := query.get(name, "")):
                params = params.set(name, str(max(-(2**62), min(int(value), maximum))))
        reply = await self._fetch(f"runs/{run_id}/points", params)
        return self._streamed(reply, {"Cache-Control": "no-store"}, filename=None)

    async def plotly(self, _request: Request) -> Response:
        """Plotly's script out of the Python package, so that it exists once and matches the server side."""
        script = str(files("plotly") / "package_data" / "plotly.min.js")
        return FileResponse(script, media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"})

    async def vendored(self, request: Request) -> Response:
        """A script that lies in app/vendor; only the names above have a route."""
        script = VENDOR / request.url.path.rpartition("/")[2]
        return FileResponse(script, media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"})

    async def _fetch(self, path: str, params: Mapping[str, str] | httpx.QueryParams, **options: Any) -> httpx.Response:
        request = self._client.build_request("GET", path, params=params, **options)
        try:
            return await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            body = {"code": "api_unavailable", "params": {"detail": type(error).__name__}, "message": "no answer"}
            return httpx.Response(503, json=body, request=request)

    def _streamed(self, reply: httpx.Response, headers: Mapping[str, str], filename: str | None) -> Response:
        """The backend's answer passed on in pieces; errors keep their status and body but are never cached."""
        kept = {name: reply.headers[name] for name in ("content-length", "content-type") if name in reply.headers}
        if not reply.is_success:
            headers, filename = {"Cache-Control": "no-store"}, None
        if filename is not None:
            kept["content-type"] = "application/octet-stream"
            kept["content-disposition"] = _attachment(filename)
        return StreamingResponse(
            reply.aiter_raw() if not reply.is_stream_consumed else iter([reply.content]),
            status_code=reply.status_code,
            headers={**_SAFE_HEADERS, **_encoding(reply), **kept, **{k.lower(): v for k, v in headers.items()}},
            background=BackgroundTask(reply.aclose),
        )


def _encoding(reply: httpx.Response) -> dict[str, str]:
    encoding = reply.headers.get("content-encoding")  # the bytes are passed on as they came
    return {"content-encoding": encoding} if encoding else {}


def _attachment(filename: str) -> str:
    ascii_name = re.sub(r"[^0-9A-Za-z._-]", "_", filename)[:120] or "file"
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _refused(code: str, **params: str) -> Response:
    return JSONResponse({"code": code, "params": params, "message": code}, status_code=400, headers=_SAFE_HEADERS)
