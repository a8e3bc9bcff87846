"""The REST API as workers and agents speak it: what can be repeated is repeated, what is refused is an error."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from backend.contracts.reports import Artifact
from backend.contracts.runs import Run
from backend.contracts.workers import (
    AdoptRequest,
    AgentReply,
    Claim,
    ClaimRequest,
    Heartbeat,
    RunFinished,
    RunSpec,
    RunStarted,
    SampleManifest,
    Ticket,
    TicketRequest,
    TicketUse,
)
from backend.runs.script_files import open_regular

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
CHUNK_BYTES = 1 << 20
Answer = TypeVar("Answer")
_artifacts = TypeAdapter(list[Artifact])
_runs = TypeAdapter(list[Run])
log = logging.getLogger(__name__)


class ApiRefusedError(Exception):
    """The API understood and said no: repeating would not help. `params` are those of its error."""

    def __init__(self, status: int, code: str, params: dict[str, Any]) -> None:
        super().__init__(f"{status} {code} {params}")
        self.status = status
        self.code = code
        self.params = params


class ApiAwayError(Exception):
    """The API did not answer for as long as we were told to try."""


def _once() -> bool:
    return False


class ApiConnection:
    """One token's view of the API. Thread-safe. `keep_trying()` decides after each failure whether to go on."""

    def __init__(self, api_url: str, token: str, keep_trying: Callable[[], bool] = _once) -> None:
        self._client = httpx.Client(
            base_url=api_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30, connect=3),
            trust_env=False,  # A proxy for the internet is none for the API.
            verify=api_url.startswith("https:"),  # Loading certificates nobody asks for takes as long as a request.
        )
        self._keep_trying = keep_trying

    def close(self) -> None:
        """Close its sockets."""
        self._client.close()

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Ask for a run; one attempt. Raises ApiAwayError or ApiRefusedError."""
        response = self.attempt("POST", "/workers/claim", json_body=request)
        return None if response.status_code == 204 else Claim.model_validate_json(response.content)

    def adopt(self, request: AdoptRequest) -> Claim:
        """Take up a run again; one attempt. Raises ApiAwayError or ApiRefusedError."""
        return Claim.model_validate_json(self.attempt("POST", "/workers/adopt", json_body=request).content)

    def runs_of(self, worker: str) -> list[Run]:
        """Active runs of a worker; one attempt. Raises ApiAwayError or ApiRefusedError."""
        return _runs.validate_json(self.attempt("GET", f"/workers/{worker}/runs").content)

    def open_ticket(self, request: TicketRequest) -> str:
        """A ticket for the agent of a claimed run; one attempt. Raises ApiAwayError or ApiRefusedError."""
        return Ticket.model_validate_json(self.attempt("POST", "/workers/ticket", json_body=request).content).ticket

    def renew_waiting(self, request: TicketRequest) -> AgentReply:
        """The agent of a claimed run will begin; one attempt. Raises ApiAwayError or ApiRefusedError."""
        return AgentReply.model_validate_json(self.attempt("POST", "/workers/waiting", json_body=request).content)

    def use_ticket(self, run_id: str, token: str) -> None:
        """Exchange the ticket that this connection speaks with for a token; repeated like any request."""
        self.request("POST", f"/agent/runs/{run_id}/token", json_body=TicketUse(token=token))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request, repeated with growing pauses while the API is away or failing, as long as `keep_trying` says."""
        return self._repeat(lambda: self.attempt(method, path, **options))

    def _repeat(self, attempt: Callable[[], Answer]) -> Answer:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except ApiAwayError as error:
                if not self._keep_trying():
                    raise
                log.info("the API is away, trying again in %.1f s: %s", pause_s, error)
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def download(self, sha256: str, target: Path) -> None:
        """Write an object to `target`, repeated like any request."""
        self._repeat(lambda: self._download(sha256, target))

    def _download(self, sha256: str, target: Path) -> None:
        try:
            with self._client.stream("GET", f"/objects/{sha256}") as response, target.open("wb") as file:
                if response.status_code != 200:
                    response.read()
                    _check(response)
                for chunk in response.iter_bytes(CHUNK_BYTES):
                    file.write(chunk)
        except httpx.TransportError as error:
            raise ApiAwayError(f"{type(error).__name__} {error}") from error

    def attempt(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        json_body: BaseModel | None = None,
        content: bytes | None = None,
        file: Path | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """A request, once. Raises ApiAwayError or ApiRefusedError."""
        headers = {"Content-Type": "application/json"} if json_body is not None else {}
        body: Any = json_body.model_dump_json().encode() if json_body is not None else content
        if file is not None:
            body = _file_chunks(file)
            headers["Content-Length"] = str(file.stat().st_size)
        extra: dict[str, Any] = {} if timeout_s is None else {"timeout": timeout_s}
        try:
            response = self._client.request(method, path, params=params, content=body, headers=headers, **extra)
        except httpx.TransportError as error:
            raise ApiAwayError(f"{type(error).__name__} {error}") from error
        _check(response)
        return response


class AgentApi:
    """What an agent says about its one run."""

    def __init__(self, connection: ApiConnection, run_id: str) -> None:
        self.connection = connection
        self._path = f"/agent/runs/{run_id}"

    def spec(self) -> RunSpec:
        """Everything that is needed to prepare the run folder."""
        return RunSpec.model_validate_json(self.connection.request("GET", f"{self._path}/spec").content)

    def sample(self, role: str) -> SampleManifest:
        """Elements of one role."""
        return SampleManifest.model_validate_json(
            self.connection.request("GET", f"{self._path}/samples/{role}").content
        )

    def started(self, report: RunStarted) -> AgentReply:
        """The script's process exists."""
        return self._tell("started", report)

    def heartbeat(self, report: Heartbeat) -> AgentReply:
        """The agent lives; one attempt."""
        response = self.connection.attempt("POST", f"{self._path}/heartbeat", json_body=report, timeout_s=5)
        return AgentReply.model_validate_json(response.content)

    def finished(self, report: RunFinished) -> AgentReply:
        """The script's process is gone."""
        return self._tell("finished", report)

    def events(self, file: str, offset: int, content: bytes, skipped_bytes: int = 0) -> AgentReply:
        """Whole lines of an event file, or the length of one that is too long to be sent."""
        params = {"file": file, "offset": offset} | ({"skipped_bytes": skipped_bytes} if skipped_bytes else {})
        response = self.connection.request("POST", f"{self._path}/events", params=params, content=content)
        return AgentReply.model_validate_json(response.content)

    def artifacts(self) -> list[Artifact]:
        """Files that the backend has of this run."""
        return _artifacts.validate_json(self.connection.request("GET", f"{self._path}/artifacts").content)

    def put_artifact(self, path: str, kind: str, sha256: str, info: dict[str, Any], file: Path) -> None:
        """A file that the run produced."""
        self.connection.request(
            "PUT",
            f"{self._path}/artifacts",
            params={"path": path, "kind": kind, "sha256": sha256, "info": json.dumps(info, ensure_ascii=False)},
            file=file,
        )

    def _tell(self, what: str, report: BaseModel) -> AgentReply:
        response = self.connection.request("POST", f"{self._path}/{what}", json_body=report)
        return AgentReply.model_validate_json(response.content)


def _check(response: httpx.Response) -> None:
    if response.status_code >= 500:
        raise ApiAwayError(f"{response.status_code} {response.text[:300]}")
    if response.status_code >= 400:
        try:
            reply = response.json()
            raise ApiRefusedError(response.status_code, str(reply["code"]), dict(reply["params"]))
        except (ValueError, KeyError, TypeError):
            raise ApiRefusedError(response.status_code, "unknown", {"body": response.text[:300]}) from None


def _file_chunks(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
