"""Single inputs of a run: device, seed, language, classes, weights."""

import os
from pathlib import Path

from PlatformAPI import local_yolo
from PlatformAPI.errors import RunFolderError
from PlatformAPI.run_context import current

LANGUAGES = ("en", "ru")


def get_device() -> str:
    """The compute device chosen for this run, as torch names it ("cpu", "cuda:0"). Alone: ARM_DEVICE, else "cpu"."""
    run = current()
    return str(run.spec.get("device") or (os.environ.get("ARM_DEVICE") if run.is_alone else None) or "cpu")


def get_seed() -> int | None:
    """The seed chosen for this run, or None if none was."""
    seed = current().spec.get("seed")
    return None if seed is None else int(seed)


def get_language() -> str:
    """The language of the page where the run was started, "en" or "ru": what messages should be written in.

    Alone, or where the run was started by a request that names none: "ru" if the machine's locale (the first of
    LC_ALL, LC_MESSAGES and LANG that is set) is Russian, "en" otherwise.
    """
    chosen = current().spec.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "ru" if locale.lower().startswith("ru") else "en"


def get_classes() -> list[str]:
    """Class names in the order of their ids, from 0. Alone: `names` of data.yaml, or none where there is no data."""
    run = current()
    if not run.is_alone:
        return [str(name) for name in run.spec.get("classes", [])]
    data_dir = local_yolo.data_dir(run.script_dir)
    return local_yolo.read_classes(data_dir) if data_dir.is_dir() else []


def get_weights_path() -> Path | None:
    """The weights file handed to this run, or None. Alone: the newest file in `weights/` beside the script.

    Raises RunFolderError if run.json names a file that is not there.
    """
    run = current()
    if run.is_alone:
        files = [path for path in (run.script_dir / "weights").glob("*") if path.is_file()]
        return max(files, key=lambda path: path.stat().st_mtime, default=None)
    names = run.spec.get("weights") or []
    if not names:
        return None
    path = run.folder / str(names[0])
    if not path.is_file():
        raise RunFolderError(f"run.json names the weights {names[0]!r}, but {path} is not there")
    return path
