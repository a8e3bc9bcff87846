"""Which paths inside an upload are safe, which are noise, and how much an archive may hold."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from backend.domain.errors import InvalidInputError

MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
SYSTEM_NOISE = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
CODE_NOISE = SYSTEM_NOISE | {
    ".git",
    "__pycache__",
    ".venv",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "arm-run",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class ArchiveLimits:
    """Bytes after unpacking, number of files, and largest unpacked : packed ratio of the archive and of each file."""

    max_bytes: int
    max_files: int
    max_ratio: int


def safe_path(name: str) -> str:
    """`name` as a clean POSIX path relative to the root of an upload (`./a/b` becomes `a/b`).

    Raises InvalidInputError naming the entry when the path could lead out of a folder on any operating system.
    """
    if _CONTROL.search(name):
        raise InvalidInputError("path_control_character", entry=ascii(name)[1:-1])
    if "\\" in name:
        raise InvalidInputError("path_backslash", entry=name)
    if name.startswith("/"):
        raise InvalidInputError("path_absolute", entry=name)
    if _DRIVE.match(name):
        raise InvalidInputError("path_drive_letter", entry=name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInputError("path_climbs", entry=name)
    if not parts:
        raise InvalidInputError("path_empty", entry=name)
    if not name.isprintable() and _is_not_encodable(name):
        raise InvalidInputError("path_not_utf8", entry=ascii(name)[1:-1])
    if len(name.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise InvalidInputError("path_too_long", entry=name[:200])
    return "/".join(parts)


def is_noise(path: str, noise: frozenset[str]) -> bool:
    """Whether a path is, or lies in, something that operating systems and tools leave behind."""
    return any(part in noise or part.startswith("._") for part in path.split("/")) or (
        noise is CODE_NOISE and path.endswith(".pyc")
    )


def check_no_clash(paths: Iterable[str]) -> None:
    """Raise InvalidInputError when a path occurs twice, or is a file in one entry and a folder in another."""
    counts = Counter(paths)
    for path, count in counts.items():
        if count > 1:
            raise InvalidInputError("path_twice", entry=path)
        for parent in PurePosixPath(path).parents:
            if str(parent) in counts:
                raise InvalidInputError("path_clash", entry=path, other=str(parent))


def common_top_folder(paths: Iterable[str], meaningful: frozenset[str] = frozenset()) -> str:
    """The single folder that holds everything, with its `/`, or "" (also when its name is one of `meaningful`)."""
    tops = {path.split("/", 1)[0] if "/" in path else "" for path in paths}
    if len(tops) != 1:
        return ""
    top = tops.pop()
    return f"{top}/" if top and top not in meaningful else ""


def _is_not_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False
