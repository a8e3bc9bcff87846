"""How the UI asks the backend: one request, its answer as a contract, a refusal as ApiError. No addresses here."""

from collections.abc import Iterator
from typing import Any, BinaryIO, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from backend.contracts.base import Contract, ErrorReply, Problem

UPLOAD_CHUNK_BYTES = 1 << 20
UPLOAD_TIMEOUT = httpx.Timeout(connect=3, read=1800, write=120, pool=5)

T = TypeVar("T")


class ApiError(Exception):
    """The backend refused a request. `code` and `params` name the sentence, `problems` locate faults in an upload."""

    def __init__(self, reply: ErrorReply, status: int) -> None:
        super().__init__(f"{status} {reply.code}: {reply.message}")
        self.code = reply.code
        self.params = reply.params
        self.problems: tuple[Problem, ...] = reply.problems
        self.message = reply.message
        self.hint = reply.hint
        self.status = status


class ApiUnavailableError(ApiError):
    """The backend does not answer, or says that a store behind it does not; the request may be repeated.

    `is_change`: the request was to change something, and nobody knows whether it did.
    """

    def __init__(self, reply: ErrorReply, status: int, is_change: bool) -> None:
        super().__init__(reply, status)
        self.is_change = is_change


class ApiRequests:
    """A pool of connections to the backend; thread-safe."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def close(self) -> None:
        """Close the connections; the client is of no use afterwards."""
        self._client.close()

    def _json(self, method: str, path: str, shape: type[T], body: Contract | None = None, **options: Any) -> T:
        if body is not None:
            options["content"] = body.model_dump_json(by_alias=True, exclude_unset=True)
            options["headers"] = {"Content-Type": "application/json"}
        return parsed(self._send(method, path, **options), shape)

    def _upload(self, method: str, path: str, source: BinaryIO, shape: type[T], **options: Any) -> T:
        reply = self._send(method, path, content=_chunks(source), timeout=UPLOAD_TIMEOUT, **options)
        return parsed(reply, shape)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            reply = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise ApiUnavailableError(_unavailable(self._client.base_url, error), 0, method != "GET") from error
        if reply.is_success or reply.status_code == httpx.codes.NOT_MODIFIED:
            return reply
        raise _error_from_reply(reply)


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    source.seek(0)  # a retry, or a second press of the button, starts at the beginning
    while chunk := source.read(UPLOAD_CHUNK_BYTES):
        yield chunk


def _unavailable(base_url: httpx.URL, error: Exception) -> ErrorReply:
    params = {"url": str(base_url).rstrip("/"), "detail": str(error) or type(error).__name__}
    return ErrorReply(code="api_unavailable", params=params, message=f"{params['url']} does not answer")


def _error_from_reply(reply: httpx.Response) -> ApiError:
    try:
        told = ErrorReply.model_validate_json(reply.content)
    except ValidationError:
        told = _unexpected(reply)
    if reply.status_code in (502, 503, 504):
        return ApiUnavailableError(told, reply.status_code, reply.request.method != "GET")
    return ApiError(told, reply.status_code)


def parsed(reply: httpx.Response, shape: type[T]) -> T:
    """The body of an answer as `shape`. Raises ApiError when it is something else."""
    try:
        return TypeAdapter(shape).validate_json(reply.content)
    except ValidationError as error:
        raise ApiError(_unexpected(reply), reply.status_code) from error


def _unexpected(reply: httpx.Response) -> ErrorReply:
    params = {"status": reply.status_code, "request": f"{reply.request.method} {reply.request.url.path}"}
    return ErrorReply(code="api_unexpected_reply", params=params, message=reply.text[:200])
