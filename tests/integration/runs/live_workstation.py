"""A whole workstation without its pages: the API and workers as processes of their own, so that tests can kill them."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from backend.contracts.reports import Message, PointsReply
from backend.contracts.runs import FINAL_STATES, Run
from backend.embedded.ports import free_port
from backend.embedded.servers import Servers

TOKEN = "live-workstation-token"
ROOT = Path(__file__).parents[3]
Seen = TypeVar("Seen")

EVENTS = """
import json, os, sys, time, signal, subprocess
from pathlib import Path
RUN = Path(os.environ["ARM_RUN_DIR"])
_fd = os.open(RUN / "events" / f"{os.getpid()}-0.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_sequence = iter(range(10**9))
def event(k, **fields):
    line = json.dumps({"k": k, "t": time.time(), "s": next(_sequence), **fields}) + "\\n"
    os.write(_fd, line.encode())
def point(i, name="loss"):
    event("point", name=name, v=float(i), e=0, i=i)
def message(text, level="info"):
    event("message", level=level, text=text)
def wait_for_file(name):
    while not (RUN / name).exists():
        time.sleep(0.02)
"""


class LiveWorkstation:
    """Start with `with`; everything it started is gone afterwards."""

    def __init__(self, servers: Servers, home: Path, database: str, **variables: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self._servers = servers
        self._database = database
        self._variables = {"ARM_LEASE_S": "4", "ARM_STOP_GRACE_S": "2", **variables}
        self.api: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, trust_env=False
        )

    def __enter__(self) -> "LiveWorkstation":
        self.start_api()
        self.start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(30)
        self.stop_api()
        self.client.close()

    def start_api(self) -> None:
        stores = {
            "ARM_MONGO_URL": self._servers.mongo_url,
            "ARM_REDIS_URL": self._servers.redis_url,
            "ARM_DATABASE": self._database,
        }
        self.api = self._start(
            "api", ["-m", "uvicorn", "--factory", "backend.main:app_from_environment", "--port", str(self.port)], stores
        )
        self.until(self._answers, 40)

    def stop_api(self) -> None:
        assert self.api is not None
        self.api.kill()
        self.api.wait()

    def start_worker(self, module: str = "backend.runs.worker", **variables: str) -> "subprocess.Popen[bytes]":
        worker = self._start("worker", ["-m", module], {"ARM_API_URL": self.url, **variables})
        self.workers.append(worker)
        return worker

    def kill_worker(self) -> None:
        """Without a chance to stop its agents; they are ended too, as a crash of the machine would do."""
        for worker in self.workers:
            tree = psutil.Process(worker.pid).children(recursive=True)
            for process in [psutil.Process(worker.pid), *tree]:
                with contextlib.suppress(
                    psutil.NoSuchProcess
                ):  # Scripts die with their shim, perhaps before their turn.
                    process.kill()
            worker.wait()
        self.workers.clear()

    def project(self, script: str, **files: str) -> str:
        """A project whose train.py and test.py are the script, with `event`, `point`, … at hand."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for name in ("train.py", "test.py"):
                packed.writestr(name, self.script(script))
            packed.writestr("helper.py", "VALUE = 7\n")
            for name, text in files.items():
                packed.writestr(name.replace("__", "."), text)
        project_id = str(self.ok("POST", "/projects", json={"name": "Test"})["id"])
        self.ok("PUT", f"/projects/{project_id}/code", content=archive.getvalue())
        self.ok("PATCH", f"/projects/{project_id}", json={"train_file": "train.py", "test_file": "test.py"})
        return project_id

    @staticmethod
    def script(text: str) -> str:
        """A whole script: the helpers and `text`."""
        return EVENTS + text

    def start_run(self, project_id: str, kind: str = "train", **fields: Any) -> Run:
        body = {"project_id": project_id, "kind": kind, **fields}
        return Run.model_validate(self.ok("POST", "/runs", json=body))

    def run(self, run: Run) -> Run:
        return Run.model_validate(self.ok("GET", f"/runs/{run.id}"))

    def until_final(self, run: Run, patience_s: float = 90) -> Run:
        return self.until(lambda: found if (found := self.run(run)).state in FINAL_STATES else None, patience_s)

    def until_state(self, run: Run, state: str, patience_s: float = 60) -> Run:
        return self.until(lambda: found if (found := self.run(run)).state == state else None, patience_s)

    def until_point(self, run: Run, step: int, patience_s: float = 60) -> None:
        self.until(lambda: [series for series in self.points(run).series if step in series.iters], patience_s)

    def points(self, run: Run) -> PointsReply:
        return PointsReply.model_validate(self.ok("GET", f"/runs/{run.id}/points?max_points=100000"))

    def messages(self, run: Run) -> list[Message]:
        return [Message.model_validate(found) for found in self.ok("GET", f"/runs/{run.id}/messages?limit=5000")]

    def folder(self, run: Run) -> Path:
        return self.home / "runs" / run.id

    def script_pid(self, run: Run) -> int:
        """The process of the user's script, found as anybody would find it: by its environment."""
        return self.until(lambda: next(iter(self.pids(run)), None))

    def pids(self, run: Run) -> list[int]:
        """Living processes that carry the run folder in their environment, the oldest first; not bubblewrap's own."""
        marker = f"ARM_RUN_DIR={self.folder(run)}".encode()
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE or process.name() in ("bwrap", "env"):
                    continue
                if marker in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                    found.append((process.create_time(), process.pid))
            except (psutil.NoSuchProcess, OSError):
                continue
        return [pid for _, pid in sorted(found)]

    def agent(self, run: Run) -> psutil.Process:
        """The agent of a running script."""
        parents = psutil.Process(self.script_pid(run)).parents()
        return next(parent for parent in parents if "backend.runs.agent" in parent.cmdline())

    def ok(self, method: str, path: str, **options: Any) -> Any:
        response = self.client.request(method, path, **options)
        assert response.status_code < 300, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def until(self, look: Callable[[], Seen | None], patience_s: float = 30) -> Seen:
        deadline = time.monotonic() + patience_s
        while not (seen := look()):
            assert time.monotonic() < deadline, f"waited {patience_s} s in vain; {self._log_tails()}"
            time.sleep(0.05)
        return seen

    def _answers(self) -> bool:
        assert self.api is not None and self.api.poll() is None, self._log_tails()
        try:
            return self.client.get("/devices").status_code == 200
        except httpx.TransportError:
            return False

    def _start(self, name: str, argv: list[str], variables: dict[str, str]) -> "subprocess.Popen[bytes]":
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")}
        own = {"ARM_HOME": str(self.home), "ARM_API_TOKEN": TOKEN, **self._variables, **variables}
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *argv], env=clean | own, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def _log_tails(self) -> str:
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-2500:]}" for log in (self.home / "logs").glob("*.log")
        )


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
