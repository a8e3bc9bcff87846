"""A real Ray cluster of one node, with ports and a folder of its own; nothing else on this machine is touched."""

import contextlib
import os
import shutil
import signal
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
OBJECT_STORE_BYTES = 80_000_000


class RayHead:
    """Start with `with`. Every process of it is ended afterwards, by id: `ray stop` would end those of others too."""

    def __init__(self, cpus: int, gpus: int) -> None:
        # Short: Ray puts sockets below it, whose paths have at most 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, trust_env=False
        )
        options = {
            "--node-ip-address": "127.0.0.1",
            "--port": free_port(),
            "--dashboard-host": "127.0.0.1",
            "--dashboard-port": self._port,
            "--dashboard-agent-listen-port": free_port(),
            "--ray-client-server-port": free_port(),
            "--num-cpus": cpus,
            "--num-gpus": gpus,
            "--object-store-memory": OBJECT_STORE_BYTES,
            "--temp-dir": self._folder,
            "--include-log-monitor": "False",
        }
        self._argv = [str(RAY), "start", "--head", "--block", "--disable-usage-stats"]
        self._argv += [str(part) for option in options.items() for part in option]
        self._head: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RayHead":
        ray = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
        with (self._folder / "start.log").open("wb") as log:
            self._head = subprocess.Popen(
                self._argv, env=dict(os.environ) | ray, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        assert self._head is not None
        deadline = time.monotonic() + START_PATIENCE_S
        while not self._has_node():
            assert self._head.poll() is None and time.monotonic() < deadline, self._log()
            time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self.client.close()
        assert self._head is not None
        self._head.send_signal(signal.SIGKILL)
        self._head.wait()
        deadline = time.monotonic() + 20
        while (left := self.processes()) and time.monotonic() < deadline:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
        shutil.rmtree(self._folder, ignore_errors=True)
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

    def _log(self) -> str:
        return (self._folder / "start.log").read_text(errors="replace")[-3000:]
