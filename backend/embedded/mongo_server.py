"""A real mongod on loopback, with authentication and its data in one folder."""

import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from backend.domain.errors import UnavailableError
from backend.embedded.binaries import find_mongod
from backend.embedded.child_process import ChildProcess
from backend.embedded.ports import free_port, wait_for_previous
from backend.embedded.secrets import read_or_make_secret

USER = "arm"
# An empty database takes 11 MB instead of 315, and compression off closes CVE-2025-14847 of the 6.0.5 in the wheel.
SMALL_AND_SAFE = (
    *("--wiredTigerCacheSizeGB", "0.25"),
    *("--networkMessageCompressors", "disabled"),
    *("--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=10MB)"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
)


class MongoServer:
    """A mongod with a fixed port; `url` holds its credentials and stays valid over restarts."""

    def __init__(self, data_dir: Path, log_path: Path, secrets_dir: Path, ready_s: float = 60) -> None:
        """Start and wait until it answers. Raises UnavailableError when no binary is found or it does not come up."""
        binary = find_mongod()
        # Data files of one major version are not readable by another.
        self._database_dir = data_dir / f"mongo-{binary.version.rpartition('.')[0]}"
        self._database_dir.mkdir(parents=True, exist_ok=True)
        self._log_path = log_path
        self._ready_s = ready_s
        self._port = free_port()
        self._password = read_or_make_secret(secrets_dir / "mongo-password")
        self._argv = [
            *(str(binary.path), "--dbpath", str(self._database_dir), "--bind_ip", "127.0.0.1"),
            *("--port", str(self._port), "--nounixsocket", "--auth", *SMALL_AND_SAFE),
        ]
        self.origin = f"MongoDB {binary.version} ({binary.origin})"
        self.url = f"mongodb://{USER}:{self._password}@127.0.0.1:{self._port}/?authSource=admin&directConnection=true"
        self.start()

    def start(self) -> None:
        """Start it (again, after it died) and wait until it answers."""
        wait_for_previous(self._database_dir / "mongod.lock", "mongod")
        self._process = ChildProcess(self._argv, self._log_path)
        deadline = time.monotonic() + self._ready_s
        while True:
            try:
                return _ensure_user(self._port, self._password)
            except PyMongoError as error:
                if self._process.exit_code() is not None or time.monotonic() > deadline:
                    self.stop()
                    detail = self._process.log_tail() or str(error)
                    raise UnavailableError("mongod_did_not_start", log=str(self._log_path), detail=detail) from error
                time.sleep(0.05)

    def exit_code(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.exit_code()

    def stop(self) -> None:
        """Shut down cleanly."""
        self._process.stop(grace_s=20)


def _ensure_user(port: int, password: str) -> None:
    """Create the only user through the localhost exception, which closes as soon as that user exists."""
    address = f"127.0.0.1:{port}"
    with _client(f"mongodb://{USER}:{password}@{address}/?authSource=admin") as client:
        try:
            client.admin.command("connectionStatus")
            client.admin.command("listDatabases", nameOnly=True)
            return
        except OperationFailure:
            pass  # No user yet: a fresh database refuses the login.
    with _client(f"mongodb://{address}/") as client:
        client.admin.command("createUser", USER, pwd=password, roles=["root"], mechanisms=["SCRAM-SHA-256"])


def _client(url: str) -> "MongoClient[dict[str, Any]]":
    return MongoClient(url, serverSelectionTimeoutMS=2000, directConnection=True)
