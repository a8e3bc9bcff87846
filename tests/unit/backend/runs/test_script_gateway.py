"""The socket of a run: long paths, deadlines, a second agent, an API that is away or breaks off."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.runs import script_gateway
from backend.runs.script_gateway import ScriptGateway
from PlatformAPI.api_socket import ApiSocket
from PlatformAPI.errors import StoreAwayError, StoreError


class Api(BaseHTTPRequestHandler):
    """Remembers what it was asked; what it answers is said by the key."""

    asked: list[tuple[str, str, bytes, str | None]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        content = b'{"value": 1}'
        is_cut, is_away = b"cut" in body, b"away" in body
        self.send_response(503 if is_away else 200)
        self.send_header("Content-Length", str(len(content) + 10 * is_cut))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    Api.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / ("long" * 30) / "api"
    folder.mkdir(parents=True)
    return folder / "socket"


@pytest.fixture
def gateway(api: str, path: Path) -> Iterator[ScriptGateway]:
    running = ScriptGateway(path, api, "r1", "secret")
    running.start()
    yield running
    running.stop()


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/socket")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(folder)
    connection.settimeout(20)
    return connection


def test_a_call_gets_the_token_of_the_run_and_its_path(gateway: ScriptGateway, path: Path) -> None:
    assert ApiSocket(str(path)).ask("/keys/get", b'{"key": "k"}') == {"value": 1}
    assert ApiSocket(str(path)).ask_query("GET", "/files", prefix="a&b=ц", after="") == {"value": 1}
    assert Api.asked == [
        ("POST", "/api/agent/runs/r1/keys/get", b'{"key": "k"}', "Bearer secret"),
        ("GET", "/api/agent/runs/r1/files?prefix=a%26b%3D%D1%86&after=", b"", "Bearer secret"),
    ]


def test_what_is_not_offered_never_reaches_the_api(gateway: ScriptGateway, path: Path) -> None:
    for call in ("/spec", "/keys/get/../../spec", "/keys/get?run=r2", "/documents/a%2Fb/find"):
        with pytest.raises(StoreError, match=r"Scripts can not|malformed"):
            ApiSocket(str(path)).ask(call, b"{}")
    assert Api.asked == []


def test_a_second_agent_binds_at_the_same_path(gateway: ScriptGateway, path: Path, api: str) -> None:
    second = ScriptGateway(path, api, "r1", "newer")
    second.start()
    ApiSocket(str(path)).ask("/keys/get", b"{}")
    second.stop()
    assert Api.asked[-1][3] == "Bearer newer"


def test_slow_heads_are_cut_off_and_make_room(
    gateway: ScriptGateway, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_gateway, "HEAD_PATIENCE_S", 1.0)
    stalled = [connect(path) for _ in range(script_gateway.THREADS)]
    started = time.monotonic()
    waiting = threading.Thread(target=ApiSocket(str(path)).ask, args=("/keys/get", b"{}"))
    waiting.start()
    while waiting.is_alive():
        assert time.monotonic() - started < 15
        for connection in stalled:
            # A byte now and then does not buy more time.
            try:
                connection.send(b"G")
            except OSError:
                continue
        time.sleep(0.05)
    assert time.monotonic() - started >= 0.9
    for connection in stalled:
        connection.close()


def test_a_body_that_ends_early_is_no_request(gateway: ScriptGateway, path: Path) -> None:
    connection = connect(path)
    connection.sendall(b"POST /keys/set HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
    connection.shutdown(socket.SHUT_WR)
    assert connection.makefile("rb").readline() in (b"", b"HTTP/1.0 503 Service Unavailable\r\n")
    connection.close()
    assert [body for _, _, body, _ in Api.asked if len(body) == 100] == []


def test_an_answer_that_breaks_off_is_told(gateway: ScriptGateway, path: Path) -> None:
    with pytest.raises(StoreAwayError, match="broke off"):
        ApiSocket(str(path)).ask("/keys/incr", b'"cut"')


def test_a_change_whose_fate_is_unknown_is_not_repeated(
    gateway: ScriptGateway, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PlatformAPI.api_socket.PATIENCE_S", 0.5)
    with pytest.raises(StoreAwayError, match="may have been made"):
        ApiSocket(str(path)).ask("/keys/incr", b'"away"')
    assert len(Api.asked) == 1
    with pytest.raises(StoreAwayError):
        ApiSocket(str(path)).ask("/keys/get", b'"away"')
    assert len(Api.asked) > 3


def test_an_api_that_is_not_there_is_asked_again(path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    gateway = ScriptGateway(path, f"http://127.0.0.1:{port}/api", "r1", "secret")
    gateway.start()
    answers: list[object] = []
    asking = threading.Thread(target=lambda: answers.append(ApiSocket(str(path)).ask("/keys/incr", b"{}")))
    asking.start()
    time.sleep(0.3)
    server = ThreadingHTTPServer(("127.0.0.1", port), Api)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    asking.join(20)
    server.shutdown()
    serving.join()
    server.server_close()
    gateway.stop()
    assert answers == [{"value": 1}]


def test_a_folder_that_is_gone_stops_no_run(tmp_path: Path) -> None:
    gateway = ScriptGateway(tmp_path / "none" / "socket", "http://127.0.0.1:1/api", "r", "t")
    gateway.start()
    gateway.stop()


def test_a_stopped_gateway_serves_nobody(gateway: ScriptGateway, path: Path) -> None:
    held = connect(path)
    gateway.stop()
    held.settimeout(5)
    assert held.recv(1) == b""
    held.close()
    with pytest.raises(FileNotFoundError):
        connect(path)
