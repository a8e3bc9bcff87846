"""A real Ray cluster of one node, with ports and a folder of its own; nothing else on this machine is touched."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.embedded.ports import free_port

RAY = Path(sys.executable).with_name("ray")
TOKEN = "token-of-the-test-cluster-0123456789"
START_PATIENCE_S = 120
ATTEMPTS = 3
STARTED = b"will now block forever"
OBJECT_STORE_BYTES = 80_000_000


class RayHead:
    """Start with `with`. Every process of it is ended afterwards, by id: `ray stop` would end those of others too."""

    def __init__(self, cpus: int, gpus: int) -> None:
        # Short: Ray puts sockets below it, whose paths have at most 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self._log_path = self._folder / "start.log"
        self._resources = {"--num-cpus": cpus, "--num-gpus": gpus}
        self._head: subprocess.Popen[bytes] | None = None
        self._attempts = 0
        self.url = ""
        self.client = httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, trust_env=False)

    def __enter__(self) -> "RayHead":
        try:
            while not self._has_started():
                self._end()
                assert self._attempts < ATTEMPTS, self._log_path.read_text(errors="replace")[-3000:]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self.client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _has_started(self) -> bool:
        """On a busy machine Ray gives up after half a minute of its own: then it is no fault to try again."""
        self._attempts += 1
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.client.base_url = httpx.URL(self.url)
        options = self._resources | {
            "--node-ip-address": "127.0.0.1",
            "--port": free_port(),
            "--dashboard-host": "127.0.0.1",
            "--dashboard-port": port,
            "--dashboard-agent-listen-port": free_port(),
            "--ray-client-server-port": free_port(),
            "--object-store-memory": OBJECT_STORE_BYTES,
            "--temp-dir": self._folder,
            "--include-log-monitor": "False",
        }
        argv = [str(RAY), "start", "--head", "--block", "--disable-usage-stats"]
        argv += [str(part) for option in options.items() for part in option]
        ray = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
        with self._log_path.open("wb") as log:
            self._head = subprocess.Popen(
                argv, env=dict(os.environ) | ray, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_PATIENCE_S
        while not (STARTED in self._log_path.read_bytes() and self._has_node()):
            if self._head.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def _end(self) -> None:
        assert self._head is not None
        self._head.kill()
        self._head.wait()
        deadline = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < deadline:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
        assert not left

    def processes(self) -> list[psutil.Process]:
        """Everything of this cluster that still lives, jobs included."""
        assert self._head is not None
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                is_ours = os.getsid(process.pid) == self._head.pid or str(self._folder) in " ".join(process.cmdline())
                if is_ours or str(self._folder).encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                    found.append(process)
            except (psutil.NoSuchProcess, OSError):
                continue
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs that Ray remembers."""
        return list(self.client.get("/api/jobs/").json())

    def _has_node(self) -> bool:
        try:
            answer = self.client.get("/api/v0/nodes", params={"detail": "1"})
            return answer.status_code == 200 and bool(answer.json()["data"]["result"]["result"])
        except (httpx.TransportError, ValueError, KeyError, TypeError):
            return False
