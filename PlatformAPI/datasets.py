"""Samples of a run (step 2): listed by get_available_datasets, made into files by generate_dataset."""

import json
from pathlib import Path
from typing import Any

from PlatformAPI import local_yolo
from PlatformAPI.dataset_files import INDEX_NAME, ImageEntry, materialise
from PlatformAPI.errors import PlatformError, RunFolderError, WrongArgumentError
from PlatformAPI.file_writing import safe_name
from PlatformAPI.run_context import RunContext, current
from PlatformAPI.run_inputs import get_classes

ROLES = ("train", "val", "test")


class Dataset:
    """A sample in the platform's format. Lists are in the sample's order: markup i belongs to image i."""

    def __init__(self, role: str, folder: Path) -> None:
        """Scripts do not call this; they take datasets from `get_available_datasets`."""
        self.role = role
        self.folder = folder
        self._index: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Dataset({self.role!r})"

    def get_all_images_path(self) -> list[str]:
        """Absolute paths of the images. Raises RunFolderError before `generate_dataset`."""
        return [str(self.folder / "images" / name) for name in self._read_index()["images"]]

    def get_all_add_images_path(self) -> list[str]:
        """Absolute paths of additional elements, [] where the sample has none."""
        self._read_index()
        return sorted(str(path) for path in (self.folder / "extra").glob("*"))

    def get_all_markups(self) -> list[str]:
        """Absolute paths of the markup JSON files. Raises RunFolderError before `generate_dataset`."""
        return [str(self.folder / "markup" / name) for name in self._read_index()["markups"]]

    def _read_index(self) -> dict[str, Any]:
        if self._index is None:
            path = self.folder / INDEX_NAME
            if path.is_file():
                self._index = json.loads(path.read_bytes())
            elif (self.folder / "images").is_dir():  # a folder made by hand
                images = sorted(entry.name for entry in (self.folder / "images").iterdir())
                markups = [Path(name).stem + ".json" for name in images]
                has_markups = all((self.folder / "markup" / name).is_file() for name in markups)
                self._index = {"images": images, "markups": markups if has_markups else []}
            else:
                raise RunFolderError(f"sample {self.role!r} is not there yet: call generate_dataset(dataset) first")
        return self._index

    def _forget_index(self) -> None:
        self._index = None


def get_available_datasets() -> list[Dataset]:
    """The samples of this run, ordered train, val, test. Alone: the parts of a YOLO folder (ARM_DATA_DIR or data/)."""
    run = current()
    if run.is_alone:
        roles = local_yolo.roles(local_yolo.data_dir(run.script_dir))
    elif "samples" in run.spec:
        roles = [safe_name(sample["role"], "run.json: role") for sample in run.spec["samples"]]
    else:
        roles = [role for role in ROLES if _inputs(run, role).is_file() or _folder(run, role).is_dir()]
    return [Dataset(role, _folder(run, role)) for role in roles]


def generate_dataset(dataset: Dataset) -> Dataset:
    """Make the files of a sample under data/<role>/ and return it; at once when they are there, safe in many processes.

    Raises RunFolderError naming an image whose object is missing, or a malformed input line.
    """
    if not isinstance(dataset, Dataset):
        raise WrongArgumentError(f"dataset is {dataset!r}; pass one of get_available_datasets()")
    run = current()
    if run.is_alone:
        data_dir = local_yolo.data_dir(run.script_dir)
        version = local_yolo.version_of(data_dir, dataset.role)
        materialise(dataset.folder, version, lambda: local_yolo.entries(data_dir, dataset.role), get_classes())
    else:
        inputs = _inputs(run, dataset.role)
        if inputs.is_file():
            version = f"{inputs.stat().st_size}-{inputs.stat().st_mtime_ns}"
            objects = run.folder / "inputs" / "objects"
            materialise(dataset.folder, version, lambda: _read_inputs(inputs, objects), get_classes())
        elif not (dataset.folder / "images").is_dir():
            raise RunFolderError(f"sample {dataset.role!r}: neither {inputs} nor {dataset.folder / 'images'} is there")
    dataset._forget_index()
    return dataset


def _read_inputs(path: Path, objects: Path) -> list[ImageEntry]:
    entries = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                entry = json.loads(line)
                name = safe_name(entry["name"], "name")
                source = objects / safe_name(entry["image"], "image")
                markup = entry.get("markup")
            except KeyError as error:
                raise RunFolderError(f"{path}, line {number}: {error} is missing") from error
            except (ValueError, TypeError, PlatformError) as error:
                raise RunFolderError(f"{path}, line {number}: {error}") from error
            entries.append(ImageEntry(name, source, markup))
    return entries


def _inputs(run: RunContext, role: str) -> Path:
    return run.folder / "inputs" / f"{role}.jsonl"


def _folder(run: RunContext, role: str) -> Path:
    return run.folder / "data" / role
