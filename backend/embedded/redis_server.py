"""A real Redis-protocol server (Valkey or Redis) on loopback, with a password and its log in one folder."""

import time
from pathlib import Path

import redis

from backend.domain.errors import UnavailableError
from backend.embedded.binaries import find_redis
from backend.embedded.child_process import ChildProcess
from backend.embedded.ports import free_port, wait_for_previous
from backend.embedded.secrets import read_or_make_secret


class RedisServer:
    """A server with a fixed port; `url` holds its password and stays valid over restarts."""

    def __init__(self, data_dir: Path, log_path: Path, secrets_dir: Path, ready_s: float = 30) -> None:
        """Start and wait until it answers. Raises UnavailableError when no binary is found or it does not come up."""
        self._binary = find_redis()
        database_dir = data_dir / "redis"
        database_dir.mkdir(parents=True, exist_ok=True)
        self._pid_path = database_dir / "server.pid"
        self._log_path = log_path
        self._ready_s = ready_s
        port = free_port()
        password = read_or_make_secret(secrets_dir / "redis-password")
        # The password goes through a private file: a command line can be read by every user of the machine.
        self._config_path = secrets_dir / "redis.conf"
        self._config_path.touch(mode=0o600)
        self._config_path.write_text(
            f'bind 127.0.0.1\nport {port}\ndir "{database_dir}"\npidfile "{self._pid_path}"\nrequirepass {password}\n'
            'appendonly yes\nappendfsync everysec\nsave ""\ndaemonize no\n'
        )
        kind = "Valkey" if "valkey" in self._binary.path.name else "Redis"
        self.origin = f"{kind} {self._binary.version} ({self._binary.origin})"
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        self.start()

    def start(self) -> None:
        """Start it (again, after it died) and wait until it answers."""
        wait_for_previous(self._pid_path, self._binary.path.name)
        self._process = ChildProcess([str(self._binary.path), str(self._config_path)], self._log_path)
        deadline = time.monotonic() + self._ready_s
        with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
            while True:
                try:
                    client.ping()
                    break
                except (redis.ConnectionError, redis.TimeoutError) as error:
                    if self._process.exit_code() is not None or time.monotonic() > deadline:
                        self.stop()
                        detail = self._process.log_tail() or str(error)
                        log = str(self._log_path)
                        raise UnavailableError("redis_did_not_start", log=log, detail=detail) from error
                    time.sleep(0.02)
        self._pid_path.write_text(str(self._process.pid))

    def exit_code(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.exit_code()

    def stop(self) -> None:
        """Shut down; the append-only file is synced first."""
        self._process.stop(grace_s=10)
