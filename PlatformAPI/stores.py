"""Where the stores keep their data: the workstation, or a folder of the run when the script runs alone."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PlatformAPI.run_context import current

if TYPE_CHECKING:
    from PlatformAPI.api_socket import ApiSocket


def api_socket() -> "ApiSocket | None":
    """The way to the workstation, None when the script runs without it."""
    path = os.environ.get("ARM_API_SOCKET")
    if not path:
        return None
    from PlatformAPI.api_socket import ApiSocket

    return ApiSocket(path)


def local_dir() -> Path:
    """The folder for data of the project when there is no workstation: `project/` beside the run's events."""
    path = current().folder / "project"
    path.mkdir(parents=True, exist_ok=True)
    return path
