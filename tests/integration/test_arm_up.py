"""`arm up` as a user meets it: one address, no second start over the same data, parts that come back, nothing left."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from backend.embedded.ports import free_port

ROOT = Path(__file__).parents[2]
READY_LINES = ("MongoDB", "Valkey", "REST API", "worker", "pages")


class Up:
    """A running `arm up`: what it printed, and its processes."""

    def __init__(self, process: "subprocess.Popen[str]", home: Path) -> None:
        self.process = process
        self.home = home
        self.printed: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.printed.append(line.strip())
            if line.strip().startswith("http"):
                break

    @property
    def text(self) -> str:
        return "\n".join(self.printed)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, word: str) -> psutil.Process:
        return next(one for one in self.children() if word in " ".join(one.cmdline()))

    def request(self, path: str, method: str = "GET", **options: object) -> httpx.Response:
        token = (self.home / "secrets" / "api-token").read_text()
        url = (self.home / "api-url").read_text().strip() + path
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(method, url, headers=headers, timeout=30, **options)  # type: ignore[arg-type]


def environment(home: Path, **variables: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")}
    ports = {"ARM_UI_PORT": str(free_port()), "ARM_API_PORT": str(free_port())}
    return kept | ports | {"ARM_HOME": str(home), "ARM_LANG": "en"} | variables


@contextmanager
def running(home: Path, **variables: str) -> Iterator[Up]:
    command = [sys.executable, "-m", "backend.cli", "up"]
    with subprocess.Popen(
        command,
        env=environment(home, **variables),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Up(process, home)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def run_verb(verb: str, home: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "backend.cli", verb]
    return subprocess.run(command, env=environment(home), cwd=ROOT, capture_output=True, text=True, check=False)


def until(look: Callable[[], bool], what: str, patience_s: float = 40) -> None:
    deadline = time.monotonic() + patience_s
    while not look():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


def test_a_day_of_a_workstation(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        for part in READY_LINES:
            assert re.search(rf"✓ {part}", up.text), up.text
        assert httpx.get(up.printed[-1], trust_env=False).status_code == 200
        up.request("/projects", "POST", json={"name": "kept over night"}).raise_for_status()

        second = run_verb("up", tmp_path)
        assert second.returncode == 1
        assert up.printed[-1] in second.stderr and "make stop" in second.stderr

        for word in ("uvicorn", "backend.runs.worker", "mongod"):
            killed = up.child(word)
            killed.kill()
            until(partial(_has_another, up, word, killed.pid), f"{word} is started again")
        until(lambda: _is_healthy(up), "the API answers and reaches its stores")
        children = up.children()
        assert run_verb("down", tmp_path).returncode == 0
    assert [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []

    with running(tmp_path) as up:
        assert [project["name"] for project in up.request("/projects").json()] == ["kept over night"]


def _has_another(up: Up, word: str, old_pid: int) -> bool:
    living = (one for one in up.children() if one.status() != psutil.STATUS_ZOMBIE)
    return any(word in " ".join(one.cmdline()) and one.pid != old_pid for one in living)


def _is_healthy(up: Up) -> bool:
    try:
        return up.request("/health").json()["status"] == "ok"
    except (httpx.HTTPError, json.JSONDecodeError):
        return False


def test_a_busy_port_is_told_and_the_next_one_taken(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        busy = listener.getsockname()[1]
        with running(tmp_path, ARM_UI_PORT=str(busy)) as up:
            assert f"Port {busy} (pages) is busy" in up.text
            taken = int(up.printed[-1].rsplit(":", 1)[1])
            assert taken > busy


def test_killed_up_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        children = up.children()
        assert len(children) >= 5
        up.process.kill()
        up.process.wait()
        until(
            lambda: not [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE],
            "servers and parts end with the process that started them",
        )
    assert run_verb("down", tmp_path).returncode == 0


def test_a_store_that_can_not_start_is_explained(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    failed = run_verb("up", tmp_path)
    assert failed.returncode == 1
    assert "data" in failed.stderr and "Traceback" not in failed.stderr


@pytest.mark.parametrize(("language", "word"), [("en", "Memory"), ("ru", "Память")])
def test_doctor_speaks_both_languages(tmp_path: Path, language: str, word: str) -> None:
    command = [sys.executable, "-m", "backend.cli", "doctor"]
    env = environment(tmp_path, ARM_LANG=language)
    report = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert report.returncode == 0, report.stdout
    assert word in report.stdout and "MongoDB" in report.stdout


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backend.cli", "up"]
    env = environment(tmp_path, ARM_API_PORT="eighty")
    failed = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "ARM_API_PORT" in failed.stderr and "eighty" in failed.stderr and "Traceback" not in failed.stderr
