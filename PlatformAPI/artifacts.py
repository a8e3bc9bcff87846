"""Files that a run leaves behind: weights and anything else worth keeping."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.file_writing import replacing, sha256_of
from PlatformAPI.run_context import current

KINDS = ("pytorch", "onnx", "checkpoint", "file")


def get_artifacts_dir() -> Path:
    """The folder for files of this run. A file in it is shown in the workstation once `save_artifact` registered it."""
    return current().artifacts_dir


def save_artifact(path: str | Path, kind: str = "file", info: Mapping[str, Any] | None = None) -> Path:
    """Register a complete file, e.g. a checkpoint that a framework wrote. Returns its path under artifacts/.

    A relative path is looked up under artifacts/, then in the working directory. A file from elsewhere is copied.
    `kind`: pytorch, onnx, checkpoint or file. Raises WrongArgumentError for another kind or a missing file.
    """
    if kind not in KINDS:
        raise WrongArgumentError(f"artifact {str(path)!r}: kind {kind!r} is unknown; known are {', '.join(KINDS)}")
    root = current().artifacts_dir.resolve()
    found = next((p for p in (root / path, Path(path)) if p.is_file()), None)
    if found is None:
        raise WrongArgumentError(f"artifact {str(path)!r}: there is no such file")
    found = found.resolve()
    if not found.is_relative_to(root):
        inside = root / found.name
        import shutil

        with replacing(inside) as temporary:
            shutil.copyfile(found, temporary)
        found = inside
    register(found, kind, dict(info or {}))
    return found


def register(path: Path, kind: str, info: dict[str, Any]) -> None:
    """Write the `artifact` event of a complete file that lies under artifacts/."""
    run = current()
    relative = path.relative_to(run.artifacts_dir.resolve()).as_posix()
    fields = {"path": relative, "kind": kind, "size": path.stat().st_size, "sha256": sha256_of(path), "info": info}
    run.writer.write_event("artifact", f"artifact {relative!r}", **fields)
    if run.console is not None:
        run.console.show(f"FILE    {path} ({path.stat().st_size / 2**20:.1f} MiB, {kind})")


def artifact_path(fpath: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Where a saver writes: under artifacts/, with the first of `suffixes` unless `fpath` already has one of them.

    Raises WrongArgumentError for a path that leaves artifacts/.
    """
    root = current().artifacts_dir.resolve()
    path = (root / fpath).resolve()
    if path == root or not path.is_relative_to(root):
        raise WrongArgumentError(f"{str(fpath)!r} is outside of {root}; give a path relative to artifacts/")
    return path if path.suffix in suffixes else path.with_name(path.name + suffixes[0])
