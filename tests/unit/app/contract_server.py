"""A small real HTTP server that speaks docs/rest-api.md over contract objects in memory.

A fake at the process edge: pages, the client and the proxy meet real sockets, JSON and status codes. It keeps no
rules of the backend; a request that it does not know answers 404 with the code `not_faked`.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import TypeAdapter

from backend.contracts.base import Contract, ErrorReply
from backend.contracts.datasets import Dataset, DatasetItem, DatasetVersion, ItemPage, ItemRevision, NearDuplicates
from backend.contracts.pipelines import PipelineFile, PipelineVersion
from backend.contracts.projects import FileText, Project, Solution
from backend.contracts.reports import Artifact, Message, Metric, PointsReply, Result, ResultPage
from backend.contracts.runs import QueuedRun, Run, RunCreate, RunsDelete
from backend.contracts.workers import Device, Worker

TOKEN = "contract-server-token"


@dataclass
class World:
    """What the server answers with; tests fill it. `failures` maps (method, path) to (status, reply)."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    versions: dict[str, list[DatasetVersion]] = field(default_factory=lambda: defaultdict(list))
    near_duplicates: dict[str, NearDuplicates] = field(default_factory=dict)
    items: dict[str, DatasetItem] = field(default_factory=dict)
    revisions: dict[str, list[ItemRevision]] = field(default_factory=lambda: defaultdict(list))
    projects: dict[str, Project] = field(default_factory=dict)
    code: dict[tuple[str, str], FileText] = field(default_factory=dict)
    pipelines: dict[str, list[PipelineFile]] = field(default_factory=lambda: defaultdict(list))
    pipeline_versions: dict[str, list[PipelineVersion]] = field(default_factory=lambda: defaultdict(list))
    pipeline_answers: dict[str, Contract] = field(default_factory=dict)
    """by the last part of the address: check, graph, help, versions"""
    runs: dict[str, Run] = field(default_factory=dict)
    points: dict[str, PointsReply] = field(default_factory=dict)
    messages: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    metrics: dict[str, list[Metric]] = field(default_factory=lambda: defaultdict(list))
    results: dict[str, list[Result]] = field(default_factory=lambda: defaultdict(list))
    artifacts: dict[str, list[Artifact]] = field(default_factory=lambda: defaultdict(list))
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    solutions: dict[str, Solution] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=lambda: [Device(name="cpu", title="CPU", worker="w1")])
    workers: list[Worker] = field(default_factory=list)
    queue: list[QueuedRun] = field(default_factory=list)
    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    failures: dict[tuple[str, str], tuple[int, ErrorReply]] = field(default_factory=dict)
    created: dict[str, Any] = field(default_factory=dict)
    """what POST and PUT answer with, by path"""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """every request met: method, path, query, body"""

    def put_object(self, content: bytes, media_type: str) -> str:
        """Store bytes; returns their hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.objects[sha256] = (content, media_type)
        return sha256

    def bodies(self, method: str, path: str) -> list[bytes]:
        """Bodies of the requests made to `path`."""
        return [body for seen, at, _, body in self.requests if (seen, at) == (method, path)]


def create_app(world: World) -> FastAPI:
    """The API over `world`."""
    app = FastAPI()

    @app.middleware("http")
    async def record_and_refuse(request: Request, call_next: Any) -> Response:
        path = request.url.path.removeprefix("/api")
        body = await request.body()
        world.requests.append((request.method, path, dict(request.query_params), body))
        if path != "/health" and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, ErrorReply(code="token_refused", message="no token"))
        if failure := world.failures.get((request.method, path)):
            return _error(*failure)
        return await call_next(request)

    _add_fixed_routes(app, world)
    _add_run_routes(app, world)
    _add_queue_routes(app, world)

    @app.api_route("/api/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def other(path: str, request: Request) -> Response:
        answer = world.created.get(f"/{path}")
        if request.method == "GET" or answer is None:
            return _missing("not_faked", path=path)
        return _json(answer)

    return app


def _add_fixed_routes(app: FastAPI, world: World) -> None:
    @app.get("/api/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "mongo": "ok", "redis": "ok"}

    @app.get("/api/{noun}", response_model=None)
    def collection(noun: str, request: Request) -> Response:
        if noun in ("devices", "workers", "queue"):
            return _json(getattr(world, noun))
        if noun == "runs":
            return _json(_filtered_runs(world, request.query_params))
        if noun in ("datasets", "projects", "solutions"):
            return _json(list(getattr(world, noun).values()))
        return _missing("not_faked", path=noun)

    @app.get("/api/objects/{sha256}")
    def stored(sha256: str) -> Response:
        if sha256 not in world.objects:
            return _missing("object_not_found", sha256=sha256)
        content, media_type = world.objects[sha256]
        return Response(content, media_type=media_type)

    @app.get("/api/datasets/{owner}/items")
    def items(owner: str, split: str = "", class_name: str = "", offset: int = 0, limit: int = 60) -> Response:
        found = [
            item
            for item in world.items.values()
            if item.dataset_id == owner
            and split in ("", item.split)
            and (not class_name or any(a.class_name == class_name for a in item.markup.annotation))
        ]
        return _json(ItemPage(items=tuple(found[offset : offset + limit]), total=len(found)))

    @app.get("/api/datasets/{owner}/versions")
    def versions(owner: str) -> Response:
        return _json(world.versions[owner])

    @app.get("/api/datasets/{owner}/near-duplicates")
    def near_duplicates(owner: str) -> Response:
        return _json(world.near_duplicates[owner])

    @app.get("/api/items/{item}/revisions")
    def revisions(item: str) -> Response:
        return _json(world.revisions[item])

    @app.get("/api/projects/{project}/code/{path:path}")
    def code(project: str, path: str) -> Response:
        found = world.code.get((project, path))
        return _missing("code_file_not_found", path=path) if found is None else _json(found)

    @app.get("/api/solutions/{solution}/archive")
    def archive(solution: str) -> Response:
        return Response(b"PK-of-" + solution.encode(), media_type="application/zip")

    @app.get("/api/projects/{project}/pipelines")
    def pipelines(project: str) -> Response:
        return _json(world.pipelines[project])

    @app.get("/api/projects/{project}/pipelines/versions")
    def pipeline_versions(project: str) -> Response:
        return _json(world.pipeline_versions[project])

    @app.post("/api/projects/{project}/pipelines/{verb}")
    def pipeline_answer(project: str, verb: str) -> Response:
        return _json(world.pipeline_answers[verb])

    @app.get("/api/{noun}/{key}")
    def one(noun: str, key: str) -> Response:
        found = getattr(world, noun, {}).get(key)
        return _missing(f"{noun.removesuffix('s')}_not_found", id=key) if found is None else _json(found)


def _add_queue_routes(app: FastAPI, world: World) -> None:
    @app.patch("/api/runs/{run}/priority")
    @app.post("/api/runs/{run}/move")
    def reorder(run: str) -> Response:
        return _json(world.queue)

    @app.post("/api/workers/{name}/{verb}")
    def drain(name: str, verb: str) -> Response:
        return _json(next(worker for worker in world.workers if worker.name == name))

    @app.delete("/api/workers/{name}")
    def remove(name: str) -> Response:
        return Response(status_code=204)


def _add_run_routes(app: FastAPI, world: World) -> None:
    @app.post("/api/runs")
    def start(body: RunCreate) -> Response:
        return _json(world.created["/runs"])

    @app.post("/api/runs/delete")
    def delete(body: RunsDelete) -> Response:
        for run_id in body.run_ids:
            del world.runs[run_id]
        return Response(status_code=204)

    @app.get("/api/runs/{run}/messages")
    def messages(run: str, level: str = "", limit: int = 500) -> Response:
        return _json([m for m in world.messages[run] if level in ("", m.level)][-limit:])

    @app.get("/api/runs/{run}/points")
    def points(run: str, version: int = -1) -> Response:
        reply = world.points.get(run, PointsReply(version=0, series=()))
        return Response(status_code=304) if reply.version == version else _json(reply)

    @app.get("/api/runs/{run}/results")
    def results(run: str, offset: int = 0, limit: int = 50, class_name: str = "") -> Response:
        annotations = {
            r.name: [*r.prediction.annotation, *(r.truth.annotation if r.truth else ())] for r in world.results[run]
        }
        found = [
            r
            for r in world.results[run]
            if not class_name or any(a.class_name == class_name for a in annotations[r.name])
        ]
        classes = sorted({a.class_name for group in annotations.values() for a in group})
        page = tuple(found[offset : offset + limit])
        return _json(ResultPage(results=page, total=len(found), classes=tuple(classes)))

    @app.get("/api/runs/{run}/logs/{stream}")
    def log(run: str, stream: str, tail_bytes: int | None = None) -> Response:
        whole = world.logs.get((run, stream), "").encode()
        headers = {"X-Log-Bytes": str(len(whole))}
        return Response(whole[-(tail_bytes or len(whole)) :], media_type="text/plain; charset=utf-8", headers=headers)

    @app.post("/api/runs/{run}/retry")
    def retry(run: str) -> Response:
        return _json(world.created[f"/runs/{run}/retry"])

    @app.get("/api/runs/{run}/{noun}")
    def lists(run: str, noun: str) -> Response:
        if noun not in ("metrics", "artifacts"):
            return _missing("not_faked", path=noun)
        return _json(getattr(world, noun)[run])


def _filtered_runs(world: World, query: Any) -> list[Run]:
    runs = sorted(world.runs.values(), key=lambda run: run.created_at, reverse=True)
    runs = [run for run in runs if query.get("project_id", run.project_id) == run.project_id]
    runs = [run for run in runs if query.get("kind", run.kind) == run.kind]
    return runs[: int(query.get("limit", 50))]


def _json(value: Any) -> Response:
    body = TypeAdapter(type(value)).dump_json(value, by_alias=True) if value != [] else b"[]"
    return Response(body, media_type="application/json")


def _missing(code: str, **params: str) -> Response:
    return _error(404, ErrorReply(code=code, params=params, message=f"{code}: {params}"))


def _error(status: int, reply: ErrorReply) -> Response:
    return Response(reply.model_dump_json(), status_code=status, media_type="application/json")


@contextmanager
def serve(app: Any, port: int = 0) -> Iterator[str]:
    """Run an ASGI app on a loopback port of its own; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
