"""Ray's job API as plain HTTP; ray itself is not needed on this side. Whatever it answers is checked."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

ANSWER_MAX_BYTES = 32 << 20
DETAIL_CHARS = 600
TOLD_LINES = 4
SUBMIT_TIMEOUT_S = 60
Answer = TypeVar("Answer")


class ClusterAwayError(Exception):
    """The cluster did not answer, or not in a way that can be understood."""


class ClusterRefusedError(Exception):
    """The cluster understood and said no."""


class _FromRay(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class RayJob(_FromRay):
    """A job as Ray knows it. Jobs that were not submitted over HTTP have no `submission_id`."""

    submission_id: str | None = None
    status: Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED"]
    message: str | None = None
    metadata: dict[str, str] | None = None
    driver_exit_code: int | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it waits or runs, as far as Ray knows: not so when the node vanished."""
        return self.status in ("PENDING", "RUNNING")


class _Node(_FromRay):
    state: str
    resources_total: dict[str, float] = {}


class _NodeList(_FromRay):
    result: list[_Node]


class _NodeData(_FromRay):
    result: _NodeList


class _NodeAnswer(_FromRay):
    data: _NodeData


_job = TypeAdapter(RayJob)
_jobs = TypeAdapter(list[RayJob])
_nodes = TypeAdapter(_NodeAnswer)


class RayJobs:
    """Every method is one request, or two, and raises ClusterAwayError or ClusterRefusedError."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(20, connect=3),
            trust_env=False,
        )

    def close(self) -> None:
        """Close its sockets."""
        self._client.close()

    def upload(self, name: str, content: bytes) -> None:
        """Keep a package unless it is there; being asked for it, Ray keeps it for some minutes, used or not."""
        path = f"/api/packages/gcs/{name}"
        if self._ask("GET", path, none_on_404=True) is None:
            self._ask("PUT", path, content=content)

    def submit(
        self,
        submission_id: str,
        entrypoint: str,
        package: str,
        variables: Mapping[str, str],
        metadata: Mapping[str, str],
        cpus: float,
        gpus: int,
    ) -> None:
        """Start a job in the folder of an uploaded package. Ray refuses an id that it knows already."""
        # Without any resource Ray would start every job on the head node.
        body = {
            "submission_id": submission_id,
            "entrypoint": entrypoint,
            "runtime_env": {"working_dir": f"gcs://{package}", "env_vars": dict(variables)},
            "metadata": dict(metadata),
            "entrypoint_num_cpus": cpus,
            **({"entrypoint_num_gpus": gpus} if gpus else {}),
        }
        self._ask("POST", "/api/jobs/", json=body, timeout=SUBMIT_TIMEOUT_S)

    def job(self, submission_id: str) -> RayJob | None:
        """One job; None when Ray knows none of this id."""
        content = self._ask("GET", f"/api/jobs/{submission_id}", none_on_404=True)
        return None if content is None else _parsed(_job, content)

    def jobs(self) -> list[RayJob]:
        """All jobs that Ray remembers, those of others too."""
        return _parsed(_jobs, self._ask("GET", "/api/jobs/") or b"")

    def stop(self, submission_id: str) -> None:
        """Ask for the end of a job; SIGTERM first. One that is gone or ended already is no error."""
        self._ask("POST", f"/api/jobs/{submission_id}/stop", none_on_404=True)

    def forget(self, submission_id: str) -> None:
        """Remove an ended job from Ray's memory."""
        self._ask("DELETE", f"/api/jobs/{submission_id}", none_on_404=True)

    def gpu_count(self) -> int:
        """Cards of all living nodes."""
        answer = _parsed(_nodes, self._ask("GET", "/api/v0/nodes", params={"detail": "1", "limit": "10000"}) or b"")
        nodes = answer.data.result.result
        return int(sum(node.resources_total.get("GPU", 0) for node in nodes if node.state == "ALIVE"))

    def _ask(self, method: str, path: str, none_on_404: bool = False, **options: Any) -> bytes | None:
        try:
            with self._client.stream(method, path, **options) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > ANSWER_MAX_BYTES:
                        raise ClusterAwayError(f"{method} {path}: an answer of more than {ANSWER_MAX_BYTES} bytes")
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise ClusterAwayError(f"{method} {path}: {type(error).__name__} {error}") from error
        if response.status_code == 404 and none_on_404:
            return None
        if response.status_code != 200:
            # Ray answers its own crashes and our mistakes alike with 500 and a traceback, whose end says most.
            detail = " ".join(content.decode(errors="replace").split("\n")[-TOLD_LINES:]).strip()[-DETAIL_CHARS:]
            kind = ClusterAwayError if response.status_code in (502, 503, 504) else ClusterRefusedError
            raise kind(f"{response.status_code} {detail}")
        return bytes(content)


def _parsed(adapter: TypeAdapter[Answer], content: bytes) -> Answer:
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        raise ClusterAwayError(f"not an answer of Ray: {str(error)[:DETAIL_CHARS]}") from error
