"""The whole workstation as parts on one machine: started in order, restarted when one dies, stopped in reverse."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from backend.embedded.child_process import ChildProcess
from backend.embedded.servers import Servers
from backend.settings import Settings

RESTART_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
# Only the API may know where the stores are; every other part reaches them through it.
STORE_VARIABLES = ("ARM_MONGO_URL", "ARM_REDIS_URL", "ARM_OBJECTS_URL")


class PartFailedError(Exception):
    """A part did not become ready: which one, and the tail of its log."""

    def __init__(self, part: str, log_path: Path, tail: str) -> None:
        super().__init__(f"{part}: {tail}")
        self.part = part
        self.log_path = log_path
        self.tail = tail


@dataclass
class Part:
    """One long-running program of the workstation."""

    name: str
    argv: list[str]
    env: Mapping[str, str]
    log_path: Path
    is_ready: Callable[[], bool]
    stop_grace_s: float = 10
    process: ChildProcess | None = None
    started_at: float = 0
    pause_s: float = RESTART_PAUSE_S
    restart_at: float | None = field(default=None)

    def start(self) -> None:
        """Start the program; it may not be ready yet."""
        self.process = ChildProcess(self.argv, self.log_path, self.env)
        self.started_at = time.monotonic()
        self.restart_at = None

    def wait_until_ready(self, is_stopping: Callable[[], bool], patience_s: float = 90) -> None:
        """Return when the program is ready, or when the workstation is told to stop.

        Raises PartFailedError when the program ends first or never becomes ready.
        """
        assert self.process is not None
        deadline = time.monotonic() + patience_s
        while not self.is_ready() and not is_stopping():
            if self.process.exit_code() is not None or time.monotonic() > deadline:
                raise PartFailedError(self.name, self.log_path, self.process.log_tail())
            time.sleep(0.1)

    def restart_if_dead(self) -> int | None:
        """Start the program again some time after it died; the pause doubles while it keeps dying.

        Returns the exit code at the moment the death is noticed, None otherwise.
        """
        assert self.process is not None
        exit_code = self.process.exit_code()
        if exit_code is None:
            return None
        now = time.monotonic()
        if self.restart_at is None:
            self.pause_s = RESTART_PAUSE_S if now - self.started_at > HEALTHY_AFTER_S else self.pause_s
            self.restart_at = now + self.pause_s
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
            return exit_code
        if now >= self.restart_at:
            self.start()
        return None

    def stop(self) -> None:
        """Stop the program if it runs."""
        if self.process is not None:
            self.process.stop(self.stop_grace_s)


def plan_parts(settings: Settings, servers: Servers, token: str, api_port: int, ui_port: int) -> list[Part]:
    """The API, one worker and the pages, each with the environment it needs and no secret that it does not."""
    logs = settings.home_dir / "logs"
    host = settings.api_host
    api_url = f"http://{host}:{api_port}/api"
    inherited = {key: value for key, value in os.environ.items() if key not in STORE_VARIABLES}
    common = inherited | {"ARM_HOME": str(settings.home_dir), "ARM_API_URL": api_url, "ARM_API_TOKEN": token}
    stores = {
        "ARM_MONGO_URL": servers.mongo_url,
        "ARM_REDIS_URL": servers.redis_url,
        "ARM_OBJECTS_URL": settings.objects_location,
        "ARM_API_PORT": str(api_port),
    }
    uvicorn = ["-m", "uvicorn", "--factory", "backend.main:app_from_environment"]
    return [
        Part(
            "api",
            [sys.executable, *uvicorn, "--host", host, "--port", str(api_port), "--no-access-log"],
            common | stores,
            logs / "api.log",
            is_ready=lambda: _answer(f"{api_url}/health") is not None,
        ),
        Part(
            "worker",
            [sys.executable, "-m", "backend.runs.worker"],
            common,
            logs / "worker.log",
            is_ready=lambda: bool(_answer(f"{api_url}/devices", token)),
            # It stops its scripts first: SIGTERM, the grace, SIGKILL, then ships what they wrote last.
            stop_grace_s=settings.stop_grace_s + 15,
        ),
        Part(
            "ui",
            [sys.executable, "-m", "app.server", "--port", str(ui_port)],
            common,
            logs / "ui.log",
            is_ready=lambda: _answer(f"http://127.0.0.1:{ui_port}/healthz") is not None,
        ),
    ]


def keep_running(
    servers: Servers, parts: list[Part], is_stopping: Callable[[], bool], report_death: Callable[[str, int], None]
) -> None:
    """Watch servers and parts until told to stop; what dies is reported and started again."""
    while not is_stopping():
        for server in servers.started:
            exit_code = server.exit_code()
            if exit_code is not None:
                report_death(server.origin, exit_code)
                server.start()
        for part in parts:
            exit_code = part.restart_if_dead()
            if exit_code is not None:
                report_death(part.name, exit_code)
        time.sleep(0.2)


def _answer(url: str, token: str = "") -> object:
    """The JSON that `url` answers, None when it does not answer well."""
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        reply = httpx.get(url, headers=headers, timeout=5, trust_env=False)
        return reply.json() if reply.is_success else None
    except (httpx.HTTPError, ValueError):
        return None
