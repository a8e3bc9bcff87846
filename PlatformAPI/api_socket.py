"""Calls through the agent's unix socket (ARM_API_SOCKET). Loaded when a store is first used inside the workstation.

One connection per call: nothing is shared between threads, survives a fork or has to be closed.
"""

import contextlib
import http.client
import json
import os
import socket
import time
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import urlencode

from PlatformAPI.errors import StoreAwayError, StoreError

PATIENCE_S = 60.0
ANSWER_PATIENCE_S = 180.0
CHUNK_BYTES = 1 << 18
READS = ("/find", "/count", "/get", "/ttl", "/list", "/keys")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("workstation")
        self._path = path

    def connect(self) -> None:
        """Wait for a free place, however long other calls take."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(os.path.dirname(self._path), os.O_RDONLY)  # noqa: PTH120  # pathlib costs more than the call
        try:
            # The address of a socket ends at 107 bytes, which the path of a run folder may exceed.
            self.sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(self._path)}")  # noqa: PTH119
        finally:
            os.close(folder)
        self.sock.settimeout(ANSWER_PATIENCE_S)


class ApiSocket:
    """Raises StoreError for what is refused, StoreAwayError when there is no answer."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, path: str, content: bytes) -> Any:
        """POST JSON; the answer is JSON."""
        response = self.request("POST", path, content=content, is_repeatable=path.endswith(READS))
        return _read_json(response)

    def ask_query(self, method: str, path: str, **query: str) -> Any:
        """A request without a body; the answer is JSON."""
        return _read_json(self.request(method, path, query=query, is_repeatable=True))

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        content: bytes | IO[bytes] = b"",
        length: int | None = None,
        is_repeatable: bool = False,
    ) -> http.client.HTTPResponse:
        """The answer, yet to be read. Repeated for a minute where that can not do a thing twice."""
        give_up_at = time.monotonic() + PATIENCE_S
        pause_s = 0.05
        start = content.tell() if not isinstance(content, bytes) else 0
        while True:
            try:
                return self._attempt(method, f"{path}?{urlencode(query)}" if query else path, content, length)
            except _NotDoneError as error:
                if time.monotonic() > give_up_at or not (error.is_untouched or is_repeatable):
                    known = "it was not made" if error.is_untouched else "it may have been made or not"
                    raise StoreAwayError("api_away", f"{method} {path}: the workstation is away, {known}") from error
            if not isinstance(content, bytes):
                content.seek(start)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 2.0)

    def _attempt(
        self, method: str, path: str, content: bytes | IO[bytes], length: int | None
    ) -> http.client.HTTPResponse:
        connection = _Connection(self._path)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise _NotDoneError(is_untouched=True) from error
        size = len(content) if isinstance(content, bytes) else length
        headers = {"Content-Length": str(size)} if method in ("POST", "PUT") else {}
        try:
            # Refused before all was sent: the answer says why.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body=content or None, headers=headers)
            response = connection.getresponse()
            if response.status < 300:
                return response
            reply = _refusal(response)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _NotDoneError(is_untouched=False) from error
        connection.close()
        if response.status == 503:
            raise _NotDoneError(is_untouched=reply.params.get("is_sent") is False)
        raise reply


class _NotDoneError(Exception):
    def __init__(self, is_untouched: bool) -> None:
        super().__init__()
        self.is_untouched = is_untouched


def _read_json(response: http.client.HTTPResponse) -> Any:
    with response:
        try:
            return json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StoreAwayError("api_away", "the answer of the workstation broke off") from error


def _refusal(response: http.client.HTTPResponse) -> StoreError:
    try:
        reply = json.loads(response.read())
        faults = "; ".join(
            f"{p['params'].get('field')}: {p['params'].get('detail')}" for p in reply.get("problems", ())
        )
        text = " ".join(part for part in (reply["message"], faults, reply["hint"]) if part)
        return StoreError(reply["code"], text, reply["params"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return StoreError("unknown", f"the workstation answered {response.status}")
