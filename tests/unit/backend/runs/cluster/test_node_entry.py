"""The process on a node when the backend does not want it, or is not there."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend.runs.cluster.node_job import JOB_VARIABLE, NodeExit, NodeJob


@pytest.fixture
def refusing_api() -> Iterator[str]:
    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


def start(api_url: str, home: Path) -> "subprocess.Popen[str]":
    job = NodeJob(
        api_url=api_url,
        run_id="r1",
        ticket="the-ticket",
        device="cpu",
        home=str(home),
        worker="ray",
        stop_grace_s=1,
        log_max_mb=1,
        isolation="process",
        allow_network=False,
    )
    return subprocess.Popen(
        [sys.executable, "-m", "backend.runs.cluster.node_entry"],
        env=dict(os.environ) | {JOB_VARIABLE: job.model_dump_json()},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_refused_ticket_starts_nothing(refusing_api: str, tmp_path: Path) -> None:
    with start(refusing_api, tmp_path / "home") as entry:
        _, errors = entry.communicate(timeout=120)
    assert entry.returncode == NodeExit.TICKET_REFUSED
    assert "the-ticket" not in errors
    assert not (tmp_path / "home").exists()


def test_a_stop_ends_the_wait_for_an_api_that_is_away(tmp_path: Path) -> None:
    with start("http://127.0.0.1:1/api", tmp_path / "home") as entry:
        assert entry.stderr is not None
        while "trying again" not in entry.stderr.readline():
            assert entry.poll() is None
        entry.terminate()
        _, errors = entry.communicate(timeout=120)
    assert entry.returncode == NodeExit.NO_CONTACT
    assert "can not be reached" in errors
