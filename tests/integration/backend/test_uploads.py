"""Uploads through a real server and a real socket: what TestClient can not show."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from backend.main import create_app
from backend.settings import Settings
from tests.integration.uploads import yolo_files, zip_of


@pytest.fixture(scope="module")
def port(settings: Settings) -> Iterator[int]:
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.02)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join()


def scratch(settings: Settings) -> list[str]:
    return [entry.name for entry in (settings.home_dir / "scratch").iterdir()]


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sender_that_goes_away_leaves_nothing(port: int, settings: Settings) -> None:
    head = (
        "POST /api/datasets/import?name=x HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {settings.api_token}\r\nContent-Length: 5000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + zip_of(yolo_files()))
        wait_until(lambda: scratch(settings))
    wait_until(lambda: not scratch(settings))
    assert httpx.get(f"{address(port)}/datasets", headers=token(settings), trust_env=False).json() == []


def test_declared_size_over_the_limit_is_refused_before_it_is_sent(port: int, settings: Settings) -> None:
    head = (
        "POST /api/datasets/import?name=x HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {settings.api_token}\r\nContent-Length: 99999999999\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(200)


def test_streamed_upload_arrives(port: int, settings: Settings) -> None:
    content = zip_of(yolo_files())
    chunks = (content[start : start + 100] for start in range(0, len(content), 100))
    url = f"{address(port)}/datasets/import?name=x"
    reply = httpx.post(url, content=chunks, headers=token(settings), timeout=30, trust_env=False)
    assert reply.json()["splits"]["train"]["images"] == 2
    assert scratch(settings) == []


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def token(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.api_token}"}
