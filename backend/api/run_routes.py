"""/api/runs: start, look, stop, and everything that runs reported. /api/devices: what they can run on."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from backend.api.dependencies import DeletionOf, RecordsOf, RetriesOf, RunsOf, SeriesOf, WorkersOf
from backend.contracts.reports import Artifact, Message, MessageLevel, Metric, PointsReply, ResultPage, SeriesSummary
from backend.contracts.runs import Run, RunCreate, RunKind, RunsDelete
from backend.contracts.workers import Device

router = APIRouter(tags=["runs"])
StepOf = Annotated[int | None, Query(ge=-(2**63), lt=2**63)]


@router.get("/devices")
def list_devices(workers: WorkersOf) -> list[Device]:
    """Devices of live workers."""
    return workers.devices()


@router.get("/runs", response_model=list[Run])
def list_runs(
    runs: RunsOf,
    project_id: str | None = None,
    kind: RunKind | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: str | None = None,
) -> Response:
    """Runs, newest first."""
    return Response(runs.list_json(project_id, kind, limit, before), media_type="application/json")


@router.post("/runs")
def create_run(body: RunCreate, runs: RunsOf) -> Run:
    """Check, save and queue a run."""
    return runs.create(body)


@router.get("/runs/{run_id}")
def get_run(run_id: str, runs: RunsOf) -> Run:
    """One run."""
    return runs.get(run_id)


@router.delete("/runs/{run_id}", status_code=204)
def delete_run(run_id: str, deletion: DeletionOf) -> None:
    """Delete a run that has ended."""
    deletion.delete([run_id])


@router.post("/runs/delete", status_code=204)
def delete_runs(body: RunsDelete, deletion: DeletionOf) -> None:
    """Delete several runs that have ended, or none."""
    deletion.delete(body.run_ids)


@router.post("/runs/{run_id}/stop")
def stop_run(run_id: str, runs: RunsOf) -> Run:
    """Ask a run to end."""
    return runs.stop(run_id)


@router.post("/runs/{run_id}/retry")
def retry_run(run_id: str, retries: RetriesOf) -> Run:
    """Start a final run again, as a new run with the same inputs."""
    return retries.retry(run_id)


@router.get("/runs/{run_id}/messages")
def list_messages(
    run_id: str,
    records: RecordsOf,
    level: MessageLevel | None = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 200,
) -> list[Message]:
    """The newest messages, oldest first."""
    return records.messages(run_id, level, limit)


@router.get("/runs/{run_id}/points", response_model=PointsReply)
def get_points(
    run_id: str,
    of: SeriesOf,
    max_points: Annotated[int, Query(ge=8, le=100_000)] = 1000,
    version: int | None = None,
    series: Annotated[list[str] | None, Query(max_length=200)] = None,
    from_step: StepOf = None,
    to_step: StepOf = None,
) -> Response:
    """Graphs, downsampled; exact where the range of steps holds no more points. 304 when nothing came since `version`.

    `series` may be repeated; without it all graphs are sent.
    """
    reply = of.points(run_id, series, max_points, version, from_step, to_step)
    if reply is None:
        return Response(status_code=304)
    # Serialized here: FastAPI would validate a hundred thousand numbers once more.
    return Response(reply.model_dump_json(), media_type="application/json")


@router.get("/runs/{run_id}/series")
def list_series(run_id: str, of: SeriesOf) -> list[SeriesSummary]:
    """Names of the graphs and statistics over all their points."""
    return of.summaries(run_id)


@router.get("/runs/{run_id}/metrics")
def list_metrics(run_id: str, records: RecordsOf) -> list[Metric]:
    """Test metrics."""
    return records.metrics(run_id)


@router.get("/runs/{run_id}/results")
def list_results(
    run_id: str,
    records: RecordsOf,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    class_name: str | None = None,
) -> ResultPage:
    """Predicted and true markup, ordered by image name."""
    return records.results(run_id, class_name, offset, limit)


@router.get("/runs/{run_id}/artifacts")
def list_artifacts(run_id: str, records: RecordsOf) -> list[Artifact]:
    """Files that the run produced."""
    return records.artifacts(run_id)


@router.get("/runs/{run_id}/logs/{stream}")
def get_log(
    run_id: str,
    stream: Literal["stdout", "stderr"],
    records: RecordsOf,
    tail_bytes: Annotated[int | None, Query(ge=1, le=16 << 20)] = None,
) -> Response:
    """The last text of a stream while the run is active, all of it when the run is final; `tail_bytes`: only its end.

    The header X-Log-Bytes is the length of the whole.
    """
    length, chunks = records.log(run_id, stream, tail_bytes)
    headers = {"X-Content-Type-Options": "nosniff", "X-Log-Bytes": str(length)}
    return StreamingResponse(chunks, media_type="text/plain; charset=utf-8", headers=headers)
