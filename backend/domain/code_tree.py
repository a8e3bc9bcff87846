"""A solution's code as a list of (path, hash): equal trees have equal hashes, and the manifest rebuilds the tree."""

import json
from collections.abc import Iterable

from backend.contracts.pipelines import PIPELINE_SUFFIXES
from backend.contracts.projects import Code, CodeFile
from backend.domain.archive_rules import check_no_clash
from backend.domain.errors import InvalidInputError, NotFoundError, TooLargeError
from backend.domain.parameter_file import FILE_NAMES

MAX_FILES = 5000


def manifest_bytes(files: Iterable[CodeFile]) -> bytes:
    """The canonical manifest: JSON, sorted by path, no spaces. Its sha256 is the hash of the code."""
    listed = [
        {"path": f.path, "sha256": f.sha256, "size_bytes": f.size_bytes} for f in sorted(files, key=lambda f: f.path)
    ]
    return json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()


def files_from_manifest(content: bytes) -> tuple[CodeFile, ...]:
    """The files that a manifest lists."""
    return tuple(CodeFile(**entry) for entry in json.loads(content))


def with_file(code: Code, file: CodeFile, max_bytes: int) -> tuple[CodeFile, ...]:
    """The files of `code` with one added or replaced. Raises InvalidInputError (a clash) or TooLargeError."""
    files = tuple(sorted((*(f for f in code.files if f.path != file.path), file), key=lambda f: f.path))
    check_no_clash(f.path for f in files)
    if len(files) > MAX_FILES:
        raise TooLargeError("archive_too_many_files", count=len(files), limit=MAX_FILES)
    if sum(f.size_bytes for f in files) > max_bytes:
        raise TooLargeError("archive_too_large", entry=file.path, limit_mb=max_bytes >> 20)
    return files


def without_file(code: Code, path: str) -> tuple[CodeFile, ...]:
    """The files of `code` without one. Raises NotFoundError."""
    file_at(code, path)
    return tuple(f for f in code.files if f.path != path)


def file_at(code: Code, path: str) -> CodeFile:
    """One file. Raises NotFoundError."""
    for file in code.files:
        if file.path == path:
            return file
    raise NotFoundError("file_not_found", path=path[:200])


def check_launch_file(code: Code, path: str) -> None:
    """Raise InvalidInputError unless `path` is a Python file of the code, or may be a pipeline."""
    if not any(file.path == path for file in code.files):
        found = [file.path for file in code.files if is_launchable(file.path)]
        raise InvalidInputError("launch_file_not_found", path=path[:200], found=_listed(found))
    if not is_launchable(path):
        raise InvalidInputError("launch_file_not_python", path=path[:200])


def is_launchable(path: str) -> bool:
    """Whether a file can be started by its name. That a YAML file is a pipeline only its text tells, at the start."""
    return path.endswith(".py") or (path.endswith(PIPELINE_SUFFIXES) and path not in FILE_NAMES)


def check_has_script(paths: Iterable[str]) -> None:
    """Raise InvalidInputError when there is nothing that could be launched."""
    found = sorted(paths)
    if not any(is_launchable(path) for path in found):
        raise InvalidInputError("solution_without_launch_file", found=_listed(found))


def chosen_launch_file(code: Code, *candidates: str) -> str:
    """The first candidate that is in the code and can be launched, or ""."""
    paths = {file.path for file in code.files}
    return next((c for c in candidates if c in paths and is_launchable(c)), "")


def _listed(paths: list[str]) -> str:
    return (", ".join(paths[:10]) + (" …" if len(paths) > 10 else "")) or "–"
