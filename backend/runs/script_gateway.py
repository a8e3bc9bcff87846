"""The door through which a script reaches the data of its project: a unix socket in the run folder, held by the agent.

The script holds no token and needs no network. Only what is listed here passes, with the run's token added; what the
script may do with it is decided by the API. A fixed number of threads take one request per connection, so that a script
that floods, stalls or hangs up here costs its agent little: further connections wait in the kernel.
"""

import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

ROUTES = (
    ("GET", re.compile(r"/documents")),
    ("POST", re.compile(r"/documents/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}/(insert|find|count|update|replace|delete)")),
    ("POST", re.compile(r"/keys/(set|get|incr|expire|ttl|delete|push|pop|list|keys)")),
    ("GET", re.compile(r"/files(/info|/content)?")),
    ("PUT", re.compile(r"/files")),
    ("DELETE", re.compile(r"/files")),
)
QUERY_NAMES = frozenset({"name", "prefix", "after", "limit"})
THREADS = 8
BACKLOG = 64
JSON_MAX_BYTES = 8 << 20
CHUNK_BYTES = 1 << 16
HEAD_PATIENCE_S = 10.0
BODY_PATIENCE_S = 30.0
SLOWEST_BYTES_PER_S = 1 << 16
API_PATIENCE_S = 60.0
log = logging.getLogger(__name__)


class ScriptGateway:
    """Serves from `start` to `stop`, in daemon threads of its own with connections of their own to the API."""

    def __init__(self, socket_path: Path, api_url: str, run_id: str, token: str) -> None:
        self._path = socket_path
        self._base = f"{api_url}/agent/runs/{run_id}"
        self._token = token
        self._client: httpx.Client | None = None
        self._listener: socket.socket | None = None
        self._deadlines: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Listen. A run goes on without its data where that is not possible: its calls say so."""
        try:
            self._listener = _listener(self._path)
        except OSError as error:
            log.error("scripts can not reach the data of their project: %s", error)
            return
        for number in range(THREADS):
            threading.Thread(target=self._serve, name=f"gateway-{number}", daemon=True).start()
        threading.Thread(target=self._cut_late, name="gateway-deadlines", daemon=True).start()

    def stop(self) -> None:
        """Serve nobody any longer."""
        self._stopped.set()
        if self._listener is not None:
            _shut(self._listener)
            self._listener.close()
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                log.info("the socket stays: %s", error)
        with self._lock:
            for connection in self._deadlines:
                _shut(connection)
            if self._client is not None:
                self._client.close()

    def allow_until(self, connection: socket.socket, deadline: float) -> None:
        """Cut this connection off at `deadline`, by the monotonic clock."""
        with self._lock:
            self._deadlines[connection] = deadline

    def stream(
        self, method: str, path: str, query: dict[str, str], body: Iterator[bytes] | None, length: int
    ) -> Any:  # httpx: AbstractContextManager[Response]
        """The request as the API gets it."""
        headers = {"Content-Length": str(length), "Content-Type": "application/json"} if body is not None else {}
        return self._connected().stream(method, self._base + path, params=query, content=body, headers=headers)

    def _connected(self) -> httpx.Client:
        # When it is first needed: loading certificates takes a while, and most scripts never ask.
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=httpx.Timeout(API_PATIENCE_S, connect=3),
                    limits=httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS),
                    trust_env=False,  # A proxy for the internet is none for the API.
                )
            return self._client

    def _serve(self) -> None:
        assert self._listener is not None
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if not self._stopped.wait(0.1):
                    log.warning("no connection taken: %s", error)
                continue
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.allow_until(connection, time.monotonic() + HEAD_PATIENCE_S)
        try:
            if not self._stopped.is_set():  # Taken while `stop` was shutting those it knew.
                _Call(connection, self)
        except (OSError, httpx.HTTPError, ValueError, RuntimeError) as error:  # Runtime: httpx was closed by `stop`.
            log.info("a call of the script broke off: %s", error)
        finally:
            with self._lock:
                self._deadlines.pop(connection, None)
            connection.close()

    def _cut_late(self) -> None:
        # Timeouts of a socket count from the last byte: one byte a second would never be late.
        while not self._stopped.wait(1):
            now = time.monotonic()
            with self._lock:
                for connection in [found for found, deadline in self._deadlines.items() if deadline < now]:
                    _shut(connection)


class _Call(BaseHTTPRequestHandler):
    """One request on one connection; works while it is constructed."""

    def __init__(self, connection: socket.socket, gateway: ScriptGateway) -> None:
        self._gateway = gateway
        self._has_answered = False
        super().__init__(connection, "", gateway)  # type: ignore[arg-type]  # It keeps both and uses neither.

    def do_GET(self) -> None:
        self._pass_on()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: a script could fill the log."""

    def _pass_on(self) -> None:
        address = urlsplit(self.path)
        if not any(self.command == method and route.fullmatch(address.path) for method, route in ROUTES):
            return self._refuse(403, "not_offered", "Scripts can not ask for this.")
        try:
            query = dict(parse_qsl(address.query, keep_blank_values=True, max_num_fields=8))
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            return self._refuse(400, "request_refused", "The request is malformed.")
        if not query.keys() <= QUERY_NAMES or length < 0 or self.headers.get("Transfer-Encoding"):
            return self._refuse(400, "request_refused", "The request is malformed.")
        if length > JSON_MAX_BYTES and self.command != "PUT":
            limit_mb = JSON_MAX_BYTES >> 20
            return self._refuse(
                413, "upload_too_large", f"The request is larger than {limit_mb} MB.", limit_mb=limit_mb
            )
        self._allow(length)
        body = self._chunks(length) if self.command in ("POST", "PUT") else None
        try:
            with self._gateway.stream(self.command, address.path, query, body, length) as response:
                self._return(response)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._refuse(503, "api_away", "The workstation does not answer.", is_sent=False)
        except httpx.TransportError:
            self._refuse(503, "api_away", "The workstation did not answer.", is_sent=True)

    def _return(self, response: httpx.Response) -> None:
        length = int(response.headers.get("Content-Length", 0))
        self._allow(length)
        self._has_answered = True
        self.send_response_only(response.status_code)
        self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(length))
        self.end_headers()
        for chunk in response.iter_raw(CHUNK_BYTES):
            self.wfile.write(chunk)

    def _refuse(self, status: int, code: str, message: str, **params: Any) -> None:
        if self._has_answered:  # Too late: the script sees an answer that is too short.
            return
        self._allow(0)
        content = json.dumps({"code": code, "params": params, "message": message, "hint": ""}).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self, length: int) -> Iterator[bytes]:
        left = length
        while left:
            chunk = self.rfile.read1(min(left, CHUNK_BYTES))
            if not chunk:
                raise ConnectionResetError("the script hung up")
            left -= len(chunk)
            yield chunk

    def _allow(self, length: int) -> None:
        patience_s = BODY_PATIENCE_S + API_PATIENCE_S + length / SLOWEST_BYTES_PER_S
        self._gateway.allow_until(self.connection, time.monotonic() + patience_s)


def _listener(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    # By the folder's descriptor: the address of a socket ends at 107 bytes, which a data folder may exceed.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(folder)
    return listener


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # Closed by the other side already.
