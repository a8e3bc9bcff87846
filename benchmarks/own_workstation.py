"""A workstation of its own for a benchmark, so that nothing of the user's is touched."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.api_client import Api
from backend.embedded.ports import free_port


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


def zip_folder(folder: Path, archive: Path) -> Path:
    """Pack a folder as a user would."""
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                target.write(path, path.relative_to(folder))
    return archive
