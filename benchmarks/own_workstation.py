"""A workstation of its own for a benchmark, or the part of one that it needs: nothing of the user's is touched."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import uvicorn

from app.api_client import Api
from backend.contracts.projects import Project, ProjectCreate
from backend.embedded.ports import free_port
from backend.embedded.servers import start_servers
from backend.main import create_app
from backend.settings import Settings

ROOT = Path(__file__).parents[1]
TOKEN = "bench-token"


@contextmanager
def workstation(home: Path) -> Iterator[tuple[Api, str]]:
    """`arm up` on ports of its own: a client for it and the address of its pages."""
    home.mkdir(parents=True, exist_ok=True)
    env = os.environ | {"ARM_HOME": str(home), "ARM_UI_PORT": str(free_port()), "ARM_API_PORT": str(free_port())}
    env["ARM_LANG"] = "en"
    process = subprocess.Popen([sys.executable, "-m", "backend.cli", "up"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.strip().startswith("http"):
                break
        else:
            raise SystemExit("the workstation did not start")
        token = (home / "secrets" / "api-token").read_text().strip()
        api_url = (home / "api-url").read_text().strip()
        with httpx.Client(base_url=api_url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            yield Api(client), line.strip()
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def own_servers() -> Iterator[Settings]:
    """MongoDB and Redis, and settings for an API on top of them, whose agents are never given up."""
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as home:
        servers = start_servers(Path(home))
        try:
            yield Settings(
                home=Path(home), api_token=TOKEN, api_port=free_port(), lease_s=3600,
                mongo_url=servers.mongo_url, redis_url=servers.redis_url,
            )  # fmt: skip
        finally:
            servers.stop()


class ApiProcess:
    """The API in a process of its own, so that its memory and its restarts are its own."""

    def __init__(self, settings: Settings) -> None:
        self.url = f"http://127.0.0.1:{settings.api_port}/api"
        self.pid = os.fork()
        if self.pid == 0:
            uvicorn.run(create_app(settings), port=settings.api_port, log_level="error")
            os._exit(0)
        while True:
            try:
                httpx.get(f"{self.url}/health", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)

    @property
    def cpu_s(self) -> float:
        """CPU time so far."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        return psutil.Process(self.pid).memory_info().rss / 2**20

    def stop(self) -> None:
        """End it as `arm up` would."""
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


@contextmanager
def api_with_worker(isolation: str) -> Iterator[httpx.Client]:
    """Embedded servers, the API and one worker, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as folder:
        home, port = Path(folder), free_port()
        servers = start_servers(home)
        url = f"http://127.0.0.1:{port}/api"
        env = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")}
        env |= {"ARM_HOME": folder, "ARM_API_TOKEN": TOKEN, "ARM_API_URL": url, "ARM_ISOLATION": isolation}
        stores = {"ARM_MONGO_URL": servers.mongo_url, "ARM_REDIS_URL": servers.redis_url}
        api = ["-m", "uvicorn", "--factory", "backend.main:app_from_environment", "--port", str(port)]
        processes = [
            start([*api, "--log-level", "warning"], env | stores),
            start(["-m", "backend.runs.worker"], env),
        ]
        try:
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False
            ) as client:
                wait_for_worker(client)
                yield client
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(60)
            servers.stop()


def start(argv: list[str], env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A Python process of the workstation."""
    return subprocess.Popen([sys.executable, *argv], env=env, cwd=ROOT, stderr=subprocess.DEVNULL)


def wait_for_worker(client: httpx.Client) -> None:
    """Return when a worker offers a device."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if client.get("/devices").raise_for_status().json():
                break
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the workstation did not start"
        time.sleep(0.1)
    time.sleep(2)


def project_of(api: Api, script: str, name: str = "clock") -> Project:
    """A project whose training is this text."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("train.py", script)
    return api.upload_code(api.create_project(ProjectCreate(name=name)).id, archive)


def zip_folder(folder: Path, archive: Path) -> Path:
    """Pack a folder as a user would."""
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                target.write(path, path.relative_to(folder))
    return archive
