"""Makes data/<role>/ out of image files and markup: built under another name, renamed into place when complete."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from PlatformAPI.errors import RunFolderError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

INDEX_NAME = "index.json"
EMPTY_MARKUP: dict[str, Any] = {"version": 1, "image": {"representation": "", "value": ""}, "annotation": []}


class ImageEntry(NamedTuple):
    """One image of a sample: its file name, the file it comes from, its markup; `is_in_place`: used where it lies."""

    name: str
    source: Path
    markup: dict[str, Any] | None
    is_in_place: bool = False


def materialise(folder: Path, version: str, read: Callable[[], list[ImageEntry]], classes: list[str]) -> None:
    """Make `folder` hold the entries that `read` gives, unless it already holds them at this `version`.

    Several processes may call it at once: one works, the others wait and find it done.
    """
    if _has_version(folder, version):
        return
    import shutil  # these two load compressors and OpenSSL: not at the SDK's import
    import tempfile

    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f".{folder.name}.lock"):
        if _has_version(folder, version):
            return
        # The lock may be void on a network disk; the rename below keeps it right even then.
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _build(building, version, read(), classes)
            building.chmod(0o755)
            if folder.exists():  # unfinished or of another version
                folder.rename(building.with_name(building.name + ".old"))
            try:
                building.rename(folder)
            except OSError:
                if not _has_version(folder, version):
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
            shutil.rmtree(building.with_name(building.name + ".old"), ignore_errors=True)


def _build(folder: Path, version: str, entries: list[ImageEntry], classes: list[str]) -> None:
    for part in ("images", "extra", "markup"):
        (folder / part).mkdir()
    images: list[str] = []
    markups: list[str] = []
    seen: set[str] = set()
    for entry in entries:
        if not entry.source.is_file():
            raise RunFolderError(f"image {entry.name!r} is missing: {entry.source} is not there")
        # Two images may differ in their suffix only; the second one's markup keeps it.
        markup_name = Path(entry.name).stem + ".json"
        if markup_name in seen:
            markup_name = entry.name + ".json"
        if entry.name in seen or markup_name in seen:
            raise RunFolderError(f"image {entry.name!r} is in the sample twice")
        seen.update((entry.name, markup_name))
        if not entry.is_in_place:
            _link_or_copy(entry.source, folder / "images" / entry.name)
        images.append(str(entry.source) if entry.is_in_place else entry.name)
        (folder / "markup" / markup_name).write_text(_dumped(entry.markup or EMPTY_MARKUP), encoding="utf-8")
        markups.append(markup_name)
    (folder / "classes.json").write_text(_dumped(classes), encoding="utf-8")
    index = {"version": version, "images": images, "markups": markups}
    (folder / INDEX_NAME).write_text(_dumped(index), encoding="utf-8")


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, a file system without links, or inputs that the workstation keeps read-only
        if source.stat().st_dev == target.parent.stat().st_dev:
            target.symlink_to(os.path.relpath(source, target.parent))
            return
        import shutil

        shutil.copyfile(source, target)


def _has_version(folder: Path, version: str) -> bool:
    path = folder / INDEX_NAME
    return path.is_file() and json.loads(path.read_bytes()).get("version") == version


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        if fcntl is not None:
            with suppress(OSError):  # a network disk without locks
                fcntl.flock(file, fcntl.LOCK_EX)  # released by the kernel when the process dies
        yield
