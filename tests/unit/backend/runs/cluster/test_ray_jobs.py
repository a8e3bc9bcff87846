"""The client of Ray's job API, against a real HTTP server that answers as Ray does, and as Ray never should."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.runs.cluster import ray_jobs
from backend.runs.cluster.ray_jobs import ClusterAwayError, ClusterRefusedError, RayJobs

JOB = {"type": "SUBMISSION", "submission_id": "arm-1-1", "status": "RUNNING", "metadata": {"arm_worker": "ray"}}
TRACEBACK = "Traceback (most recent call last):\n" + "  File x\n" * 200 + "ValueError: Job arm-1-1 already exists."


class Head:
    """Answers what a test put into `answers`, by method and path; keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, bytes]] = []
        head = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                line = f"{self.command} {self.path.partition('?')[0]}"
                head.asked.append((line, body))
                if self.headers.get("Authorization") != "Bearer secret":
                    head.answers[line] = (401, b"Unauthorized")
                status, content = head.answers.get(line, (404, b"not found"))
                self.send_response(status)
                for name, value in head.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def head() -> Iterator[Head]:
    found = Head()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def ray(head: Head) -> Iterator[RayJobs]:
    found = RayJobs(head.url + "/", "secret")
    yield found
    found.close()


def submit(ray: RayJobs, **fields: Any) -> None:
    given = {"cpus": 1.0, "gpus": 0} | fields
    ray.submit("arm-1-1", "exec python", "_ray_pkg_a.zip", {"A": "b"}, {"arm_worker": "ray"}, **given)


def test_a_package_is_uploaded_only_where_it_is_missing(head: Head, ray: RayJobs) -> None:
    path = "/api/packages/gcs/_ray_pkg_a.zip"
    head.answers[f"PUT {path}"] = (200, b"")
    ray.upload("_ray_pkg_a.zip", b"zip")
    assert head.asked == [(f"GET {path}", b""), (f"PUT {path}", b"zip")]
    head.answers[f"GET {path}"] = (200, b"")
    ray.upload("_ray_pkg_a.zip", b"zip")
    assert [line for line, _ in head.asked].count(f"PUT {path}") == 1


def test_a_job_reserves_what_it_uses(head: Head, ray: RayJobs) -> None:
    head.answers["POST /api/jobs/"] = (200, b'{"submission_id": "arm-1-1"}')
    submit(ray)
    submit(ray, gpus=1)
    plain, on_card = (json.loads(body) for _, body in head.asked)
    assert plain == {
        "submission_id": "arm-1-1",
        "entrypoint": "exec python",
        "runtime_env": {"working_dir": "gcs://_ray_pkg_a.zip", "env_vars": {"A": "b"}},
        "metadata": {"arm_worker": "ray"},
        "entrypoint_num_cpus": 1.0,
    }
    assert on_card == plain | {"entrypoint_num_gpus": 1}


def test_jobs_are_read_with_whatever_else_ray_says(head: Head, ray: RayJobs) -> None:
    head.answers["GET /api/jobs/arm-1-1"] = (200, json.dumps(JOB | {"driver_info": {"id": [1]}}).encode())
    job = ray.job("arm-1-1")
    assert job and job.is_alive and job.metadata == {"arm_worker": "ray"}
    assert ray.job("arm-2-1") is None
    driver = {"type": "DRIVER", "submission_id": None, "status": "SUCCEEDED", "metadata": None}
    head.answers["GET /api/jobs/"] = (200, json.dumps([JOB, driver]).encode())
    assert [(job.submission_id, job.is_alive) for job in ray.jobs()] == [("arm-1-1", True), (None, False)]


def test_to_stop_or_forget_what_is_gone_is_no_error(head: Head, ray: RayJobs) -> None:
    ray.stop("arm-1-1")
    ray.forget("arm-1-1")
    assert [line for line, _ in head.asked] == ["POST /api/jobs/arm-1-1/stop", "DELETE /api/jobs/arm-1-1"]


def test_cards_of_living_nodes_are_counted(head: Head, ray: RayJobs) -> None:
    nodes = [
        {"state": "ALIVE", "resources_total": {"GPU": 2.0, "CPU": 8.0}},
        {"state": "ALIVE", "resources_total": {"CPU": 8.0}},
        {"state": "DEAD", "resources_total": {"GPU": 8.0}},
    ]
    head.answers["GET /api/v0/nodes"] = (200, json.dumps({"data": {"result": {"result": nodes}}}).encode())
    assert ray.gpu_count() == 2


def test_a_refusal_tells_the_end_of_the_traceback(head: Head, ray: RayJobs) -> None:
    head.answers["POST /api/jobs/"] = (500, TRACEBACK.encode())
    with pytest.raises(ClusterRefusedError, match=r"500 .*already exists") as caught:
        submit(ray)
    assert len(str(caught.value)) < 700


def test_a_wrong_token_is_a_refusal(head: Head) -> None:
    ray = RayJobs(head.url, "wrong")
    with pytest.raises(ClusterRefusedError, match="401"):
        ray.jobs()
    ray.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>sign in</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"status": "EXPLODED"}',
        b'{"status": "RUNNING", "metadata": {"a": ["b"]}}',
        b'{"status": "RUNNING", "driver_exit_code": "many"}',
        b"null",
        b"",
    ],
)
def test_nonsense_is_no_answer(head: Head, ray: RayJobs, answer: bytes) -> None:
    for path in ("/api/jobs/arm-1-1", "/api/jobs/", "/api/v0/nodes"):
        head.answers[f"GET {path}"] = (200, answer)
    for ask in (lambda: ray.job("arm-1-1"), ray.jobs, ray.gpu_count):
        with pytest.raises(ClusterAwayError):
            ask()


def test_an_endless_answer_is_not_read_to_its_end(head: Head, ray: RayJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_jobs, "ANSWER_MAX_BYTES", 1000)
    head.answers["GET /api/jobs/"] = (200, b"[" + b" " * 5000 + b"]")
    with pytest.raises(ClusterAwayError, match="more than"):
        ray.jobs()


def test_a_redirect_is_not_followed_with_the_token(head: Head, ray: RayJobs) -> None:
    head.headers["Location"] = "/elsewhere"
    head.answers["GET /api/jobs/"] = (302, b"")
    with pytest.raises(ClusterRefusedError, match="302"):
        ray.jobs()
    assert [line for line, _ in head.asked] == ["GET /api/jobs/"]


def test_packed_nonsense_is_no_answer(head: Head, ray: RayJobs) -> None:
    head.headers["Content-Encoding"] = "gzip"
    head.answers["GET /api/jobs/"] = (200, b"not packed")
    with pytest.raises(ClusterAwayError):
        ray.jobs()


def test_nobody_there_is_away() -> None:
    ray = RayJobs("http://127.0.0.1:1", "secret")
    with pytest.raises(ClusterAwayError, match="ConnectError"):
        ray.jobs()
    ray.close()
