"""Every request that the UI makes of the backend: a method each, as in docs/rest-api.md, contracts in and out.

The environment is read here and in app/server.py alone: ARM_API_URL (with /api) and ARM_API_TOKEN.
"""

import os
from collections.abc import Sequence
from typing import Any, BinaryIO, Literal, NamedTuple
from urllib.parse import quote

import httpx
import streamlit as st

from app.api_requests import UPLOAD_TIMEOUT, ApiRequests, parsed
from backend.contracts.datasets import (
    Dataset,
    DatasetItem,
    DatasetVersion,
    DatasetVersionCreate,
    DemoImport,
    FolderImport,
    GroupedSplitCreate,
    ItemPage,
    ItemRevision,
    MarkupUpdate,
    NearDuplicates,
)
from backend.contracts.pipelines import (
    PipelineCheck,
    PipelineFile,
    PipelineGraph,
    PipelineGraphCreate,
    PipelineHelp,
    PipelineHelpCreate,
    PipelineReport,
    PipelineVersion,
    PipelineVersionCreate,
)
from backend.contracts.projects import FileText, Project, ProjectCreate, ProjectUpdate, Solution, SolutionCreate
from backend.contracts.reports import Artifact, Message, Metric, PointsReply, ResultPage
from backend.contracts.runs import PriorityUpdate, QueuedRun, QueueMove, Run, RunCreate, RunsDelete
from backend.contracts.workers import Device, Worker

DEFAULT_API_URL = "http://127.0.0.1:8600/api"


class LogTail(NamedTuple):
    """The end of a log as bytes, and how many bytes the whole holds."""

    content: bytes
    total_bytes: int


class Api(ApiRequests):
    """A client of the backend; thread-safe, one per process."""

    # --- the machine ---

    def health(self) -> dict[str, Any]:
        """{status, mongo, redis}; asked often, so it gives up after a second and a half."""
        return self._json("GET", "/health", dict[str, Any], timeout=1.5)

    def devices(self) -> list[Device]:
        """Devices of live workers; empty when no worker runs."""
        return self._json("GET", "/devices", list[Device])

    def object_bytes(self, sha256: str, width: int | None = None) -> bytes:
        """A stored file, or its JPEG thumbnail at most `width` pixels wide."""
        return self._send("GET", f"/objects/{_part(sha256)}", params=_given(width=width)).content

    # --- datasets ---

    def datasets(self) -> list[Dataset]:
        """All datasets."""
        return self._json("GET", "/datasets", list[Dataset])

    def dataset(self, dataset_id: str) -> Dataset:
        """One dataset."""
        return self._json("GET", f"/datasets/{_part(dataset_id)}", Dataset)

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete a dataset; refused (409) while runs that have not ended name it."""
        self._send("DELETE", f"/datasets/{_part(dataset_id)}")

    def import_dataset(self, name: str, archive: BinaryIO) -> Dataset:
        """Import a YOLO zip, streamed from a file object."""
        return self._upload("POST", "/datasets/import", archive, Dataset, params={"name": name})

    def import_folder(self, body: FolderImport) -> Dataset:
        """Import a YOLO folder that the backend can read itself."""
        return self._json("POST", "/datasets/import-folder", Dataset, body=body, timeout=UPLOAD_TIMEOUT)

    def import_demo(self, body: DemoImport) -> Dataset:
        """Generate and import synthetic welds."""
        return self._json("POST", "/datasets/import-demo", Dataset, body=body, timeout=UPLOAD_TIMEOUT)

    def items(
        self, dataset_id: str, split: str | None = None, class_name: str | None = None, offset: int = 0, limit: int = 60
    ) -> ItemPage:
        """A slice of a dataset's items, ordered by split and name."""
        params = _given(split=split, class_name=class_name, offset=offset, limit=limit)
        return self._json("GET", f"/datasets/{_part(dataset_id)}/items", ItemPage, params=params)

    def item(self, item_id: str) -> DatasetItem:
        """One image with its markup."""
        return self._json("GET", f"/items/{_part(item_id)}", DatasetItem)

    def item_revisions(self, item_id: str) -> list[ItemRevision]:
        """Saved states of an item's markup."""
        return self._json("GET", f"/items/{_part(item_id)}/revisions", list[ItemRevision])

    def save_markup(self, item_id: str, body: MarkupUpdate) -> DatasetItem:
        """Save new markup; refused (409) when someone saved in between."""
        return self._json("PUT", f"/items/{_part(item_id)}/markup", DatasetItem, body=body)

    def near_duplicates(self, dataset_id: str, limit: int = 100) -> NearDuplicates:
        """Near copies within a dataset; takes seconds when nobody asked for a while."""
        path = f"/datasets/{_part(dataset_id)}/near-duplicates"
        return self._json("GET", path, NearDuplicates, params={"limit": limit}, timeout=UPLOAD_TIMEOUT)

    def create_grouped_split(self, dataset_id: str, body: GroupedSplitCreate) -> Dataset:
        """A new dataset in which near copies lie in one split."""
        path = f"/datasets/{_part(dataset_id)}/grouped-split"
        return self._json("POST", path, Dataset, body=body, timeout=UPLOAD_TIMEOUT)

    def versions(self, dataset_id: str) -> list[DatasetVersion]:
        """Frozen versions of a dataset."""
        return self._json("GET", f"/datasets/{_part(dataset_id)}/versions", list[DatasetVersion])

    def create_version(self, dataset_id: str, body: DatasetVersionCreate) -> DatasetVersion:
        """Freeze the dataset's current state."""
        return self._json("POST", f"/datasets/{_part(dataset_id)}/versions", DatasetVersion, body=body)

    # --- projects ---

    def projects(self) -> list[Project]:
        """All projects."""
        return self._json("GET", "/projects", list[Project])

    def project(self, project_id: str) -> Project:
        """One project."""
        return self._json("GET", f"/projects/{_part(project_id)}", Project)

    def create_project(self, body: ProjectCreate) -> Project:
        """A new, empty project."""
        return self._json("POST", "/projects", Project, body=body)

    def update_project(self, project_id: str, body: ProjectUpdate) -> Project:
        """Change the given fields."""
        return self._json("PATCH", f"/projects/{_part(project_id)}", Project, body=body)

    def delete_project(self, project_id: str) -> None:
        """Delete a project."""
        self._send("DELETE", f"/projects/{_part(project_id)}")

    def upload_code(self, project_id: str, archive: BinaryIO) -> Project:
        """Replace the project's code by a zip, streamed from a file object."""
        return self._upload("PUT", f"/projects/{_part(project_id)}/code", archive, Project)

    def upload_code_file(self, project_id: str, path: str, content: BinaryIO) -> Project:
        """Add or replace one code file."""
        return self._upload("PUT", f"/projects/{_part(project_id)}/code/{_path(path)}", content, Project)

    def delete_code_file(self, project_id: str, path: str) -> Project:
        """Remove one code file."""
        return self._json("DELETE", f"/projects/{_part(project_id)}/code/{_path(path)}", Project)

    def code_file(self, project_id: str, path: str) -> FileText:
        """A code file as text."""
        return self._json("GET", f"/projects/{_part(project_id)}/code/{_path(path)}", FileText)

    # --- pipelines ---

    def pipelines(self, project_id: str) -> list[PipelineFile]:
        """Pipeline files of a project, by path."""
        return self._json("GET", f"/projects/{_part(project_id)}/pipelines", list[PipelineFile])

    def import_pipeline(self, project_id: str, path: str, content: BinaryIO) -> Project:
        """Add a pipeline file; refused unless it can be read as one."""
        address = f"/projects/{_part(project_id)}/pipelines"
        return self._upload("PUT", address, content, Project, params={"path": path})

    def open_pipeline_examples(self, body: ProjectCreate) -> Project:
        """A new project with the pipelines that are shipped."""
        return self._json("POST", "/pipelines/examples", Project, body=body)

    def check_pipeline(self, project_id: str, body: PipelineCheck) -> PipelineReport:
        """What is wrong with a text; `waiting`: ask again."""
        return self._json("POST", f"/projects/{_part(project_id)}/pipelines/check", PipelineReport, body=body)

    def pipeline_graph(self, project_id: str, body: PipelineGraphCreate) -> PipelineGraph:
        """A graph of a text."""
        return self._json("POST", f"/projects/{_part(project_id)}/pipelines/graph", PipelineGraph, body=body)

    def pipeline_help(self, project_id: str, body: PipelineHelpCreate) -> PipelineHelp:
        """The help page of a reference; `waiting`: ask again."""
        return self._json("POST", f"/projects/{_part(project_id)}/pipelines/help", PipelineHelp, body=body)

    def pipeline_versions(self, project_id: str, path: str) -> list[PipelineVersion]:
        """Kept versions of a file, the newest first."""
        address = f"/projects/{_part(project_id)}/pipelines/versions"
        return self._json("GET", address, list[PipelineVersion], params={"path": path})

    def keep_pipeline_version(self, project_id: str, body: PipelineVersionCreate) -> PipelineVersion:
        """Keep the saved state of a file."""
        return self._json("POST", f"/projects/{_part(project_id)}/pipelines/versions", PipelineVersion, body=body)

    # --- runs ---

    def runs(
        self,
        project_id: str | None = None,
        kind: Literal["train", "test"] | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Run]:
        """Runs, newest first; `before` is the id after which the page starts."""
        return self._json(
            "GET", "/runs", list[Run], params=_given(project_id=project_id, kind=kind, limit=limit, before=before)
        )

    def run(self, run_id: str) -> Run:
        """One run."""
        return self._json("GET", f"/runs/{_part(run_id)}", Run)

    def start_run(self, body: RunCreate) -> Run:
        """Start a run; it is returned as queued, before it began."""
        return self._json("POST", "/runs", Run, body=body, timeout=httpx.Timeout(60, connect=3))

    def stop_run(self, run_id: str) -> Run:
        """Ask a run to stop."""
        return self._json("POST", f"/runs/{_part(run_id)}/stop", Run)

    def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Delete runs that have ended, with everything they reported; all of them or, when one goes on, none (409)."""
        body = RunsDelete(run_ids=tuple(run_ids)).model_dump_json()
        self._send("POST", "/runs/delete", content=body, headers={"Content-Type": "application/json"})

    def retry_run(self, run_id: str) -> Run:
        """Start a final run again; the new run is returned."""
        return self._json("POST", f"/runs/{_part(run_id)}/retry", Run, timeout=httpx.Timeout(60, connect=3))

    def messages(self, run_id: str, level: str | None = None, limit: int = 500) -> list[Message]:
        """The newest `limit` messages, oldest first."""
        return self._json(
            "GET", f"/runs/{_part(run_id)}/messages", list[Message], params=_given(level=level, limit=limit)
        )

    def points(self, run_id: str, max_points: int = 1000, version: int | None = None) -> PointsReply | None:
        """All graphs of a run, downsampled; None when `version` is still current."""
        reply = self._send(
            "GET", f"/runs/{_part(run_id)}/points", params=_given(max_points=max_points, version=version)
        )
        return None if reply.status_code == httpx.codes.NOT_MODIFIED else parsed(reply, PointsReply)

    def metrics(self, run_id: str) -> list[Metric]:
        """Test metrics of a run."""
        return self._json("GET", f"/runs/{_part(run_id)}/metrics", list[Metric])

    def results(self, run_id: str, offset: int = 0, limit: int = 50, class_name: str | None = None) -> ResultPage:
        """Predicted markup of a run, ordered by image name."""
        params = _given(offset=offset, limit=limit, class_name=class_name)
        return self._json("GET", f"/runs/{_part(run_id)}/results", ResultPage, params=params)

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Files that a run produced."""
        return self._json("GET", f"/runs/{_part(run_id)}/artifacts", list[Artifact])

    def log(self, run_id: str, stream: Literal["stdout", "stderr"], tail_bytes: int) -> LogTail:
        """The end of the run's output, at most `tail_bytes` of it."""
        reply = self._send("GET", f"/runs/{_part(run_id)}/logs/{stream}", params={"tail_bytes": tail_bytes})
        length = reply.headers.get("x-log-bytes", "")
        return LogTail(reply.content, int(length) if length.isdigit() else len(reply.content))

    # --- queue and workers ---

    def queue(self) -> list[QueuedRun]:
        """Queued runs in the order of claims."""
        return self._json("GET", "/queue", list[QueuedRun])

    def set_priority(self, run_id: str, priority: int) -> None:
        """Another priority of a queued run."""
        self._json("PATCH", f"/runs/{_part(run_id)}/priority", list[QueuedRun], body=PriorityUpdate(priority=priority))

    def move_run(self, run_id: str, move: QueueMove) -> None:
        """Put a queued run beside another."""
        self._json("POST", f"/runs/{_part(run_id)}/move", list[QueuedRun], body=move)

    def workers(self) -> list[Worker]:
        """Every worker with its devices and what runs on them."""
        return self._json("GET", "/workers", list[Worker])

    def drain_worker(self, name: str) -> None:
        """Let a worker finish what it runs and take nothing new."""
        self._send("POST", f"/workers/{_part(name)}/drain")

    def undrain_worker(self, name: str) -> None:
        """Let a worker take runs again."""
        self._send("POST", f"/workers/{_part(name)}/undrain")

    def remove_worker(self, name: str) -> None:
        """Forget a worker that is away; refused (409) while it is alive or has runs."""
        self._send("DELETE", f"/workers/{_part(name)}")

    # --- solutions ---

    def solutions(self) -> list[Solution]:
        """All exported solutions."""
        return self._json("GET", "/solutions", list[Solution])

    def solution(self, solution_id: str) -> Solution:
        """One exported solution."""
        return self._json("GET", f"/solutions/{_part(solution_id)}", Solution)

    def create_solution(self, body: SolutionCreate) -> Solution:
        """Export a project as a solution."""
        return self._json("POST", "/solutions", Solution, body=body, timeout=UPLOAD_TIMEOUT)

    def open_solution(self, solution_id: str) -> Project:
        """A new project with the solution's code."""
        return self._json("POST", f"/solutions/{_part(solution_id)}/open", Project)


def _part(value: str) -> str:
    """One segment of a path: an id that comes from the URL bar must not name another resource."""
    return quote(value, safe="").replace(".", "%2E")


def _path(value: str) -> str:
    return "/".join(quote(part, safe="") for part in value.split("/"))


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def api_url() -> str:
    """Where the backend listens, without a slash at the end."""
    return os.environ.get("ARM_API_URL", DEFAULT_API_URL).rstrip("/")


def api_headers() -> dict[str, str]:
    """The installation's token; it stays in this process and never reaches the browser."""
    token = os.environ.get("ARM_API_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


@st.cache_resource
def api() -> Api:
    """The process's client, with its pool of connections."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
    # trust_env off: a proxy in the environment must not see requests to loopback
    return Api(
        httpx.Client(
            base_url=api_url(),
            headers=api_headers(),
            timeout=httpx.Timeout(20, connect=3),
            limits=limits,
            trust_env=False,
        )
    )
