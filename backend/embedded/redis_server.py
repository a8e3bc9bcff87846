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
    """A running server; `url` holds its password."""

    def __init__(self, data_dir: Path, log_path: Path, secrets_dir: Path, ready_s: float = 30) -> None:
        """Start and wait until it answers. Raises UnavailableError when no binary is found or it does not come up."""
        binary = find_redis()
        database_dir = data_dir / "redis"
        database_dir.mkdir(parents=True, exist_ok=True)
        pid_path = database_dir / "server.pid"
        wait_for_previous(pid_path, str(binary.path))
        port = free_port()
        password = read_or_make_secret(secrets_dir / "redis-password")
        # The password goes through a private file: a command line can be read by every user of the machine.
        config_path = secrets_dir / "redis.conf"
        config_path.touch(mode=0o600)
        config_path.write_text(
            f'bind 127.0.0.1\nport {port}\ndir "{database_dir}"\npidfile "{pid_path}"\nrequirepass {password}\n'
            'appendonly yes\nappendfsync everysec\nsave ""\ndaemonize no\n'
        )
        self.origin = f"{'Valkey' if 'valkey' in binary.path.name else 'Redis'} {binary.version} ({binary.origin})"
        self._process = ChildProcess([str(binary.path), str(config_path)], log_path)
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        self._wait_until_ready(ready_s)
        pid_path.write_text(str(self._process.pid))

    def exit_code(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.exit_code()

    def stop(self) -> None:
        """Shut down; the append-only file is synced first."""
        self._process.stop(grace_s=10)

    def _wait_until_ready(self, ready_s: float) -> None:
        deadline = time.monotonic() + ready_s
        with redis.Redis.from_url(self.url, socket_connect_timeout=2) as client:
            while True:
                try:
                    client.ping()
                    return
                except (redis.ConnectionError, redis.TimeoutError) as error:
                    if self._process.exit_code() is not None or time.monotonic() > deadline:
                        self.stop()
                        detail = self._process.log_tail() or str(error)
                        log = str(self._process.log_path)
                        raise UnavailableError("redis_did_not_start", log=log, detail=detail) from error
                    time.sleep(0.02)
