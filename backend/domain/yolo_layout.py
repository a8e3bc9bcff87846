"""Finds images, labels and the class list of a YOLO dataset among the paths of a folder or archive."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from backend.contracts.base import Problem
from backend.contracts.datasets import SPLITS, Split

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
FOLDER_SPLITS: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
MEANINGFUL_FOLDERS = frozenset(FOLDER_SPLITS) | {"images", "labels"}
CLASS_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt")


@dataclass(frozen=True)
class ImageFile:
    """One image and its label file (None: an image without objects)."""

    split: Split
    path: str
    label_path: str | None

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.path).name


@dataclass
class YoloLayout:
    """What was found. `images` are ordered by split and name."""

    class_file: str | None = None
    images: list[ImageFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


@dataclass
class _SplitFiles:
    images: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)


def layout_of(paths: Iterable[str]) -> YoloLayout:
    """Sort paths into splits, `{split}/images` or `images/{split}` alike, and pair images with labels by their stem.

    A bare `images/` + `labels/` without splits is all `train`. Problems: no images, a label without its image, two
    images of one stem in a split. Warnings: files that are not used, splits that are missing.
    """
    layout = YoloLayout()
    files: dict[Split, _SplitFiles] = {split: _SplitFiles() for split in SPLITS}
    all_paths = sorted(paths)
    has_splits = any(_split_place(path) for path in all_paths)
    layout.class_file = next((name for name in CLASS_FILES if name in all_paths), None)
    for path in all_paths:
        place = _split_place(path) or (None if has_splits else _flat_place(path))
        if place is not None:
            _file_in(files[place[0]], place[1], place[2], path, layout)
    for split in SPLITS:
        layout.images.extend(_paired(split, files[split], layout))
    if not layout.images:
        layout.problems.append(Problem(code="dataset_without_images", params={"suffixes": _suffix_list()}))
    elif not has_splits:
        layout.warnings.append(Problem(code="dataset_without_splits"))
    else:
        found = {image.split for image in layout.images}
        layout.warnings.extend(Problem(code="split_missing", params={"split": s}) for s in SPLITS if s not in found)
    return layout


def _split_place(path: str) -> tuple[Split, str, str] | None:
    """(split, "images" or "labels", rest) of a path in one of the two layouts."""
    parts = path.split("/")
    if len(parts) < 3:
        return None
    for split_part, role in ((parts[0], parts[1]), (parts[1], parts[0])):
        split = FOLDER_SPLITS.get(split_part.lower())
        if split and role.lower() in ("images", "labels"):
            return split, role.lower(), "/".join(parts[2:])
    return None


def _flat_place(path: str) -> tuple[Split, str, str] | None:
    role, _, rest = path.partition("/")
    return ("train", role.lower(), rest) if rest and role.lower() in ("images", "labels") else None


def _file_in(files: _SplitFiles, role: str, rest: str, path: str, layout: YoloLayout) -> None:
    inner = PurePosixPath(rest)
    stem = str(inner.with_suffix(""))
    if role == "images" and inner.suffix.lower() in IMAGE_SUFFIXES:
        files.images.setdefault(stem, []).append(path)
    elif role == "labels" and inner.suffix.lower() == ".txt":
        if inner.name.lower() != "classes.txt":
            files.labels.setdefault(stem, []).append(path)
    elif inner.suffix.lower() != ".cache":
        layout.warnings.append(Problem(code="file_not_used", file=path, params={"suffixes": _suffix_list()}))


def _paired(split: Split, files: _SplitFiles, layout: YoloLayout) -> Iterator[ImageFile]:
    taken: dict[str, str] = {}
    found: list[ImageFile] = []
    for stem, image_paths in files.images.items():
        label = files.labels.get(stem, [None])[0]
        for path in image_paths:
            # Samples are written into one flat folder, markup as <stem>.json: a stem must be unique within its split.
            other = taken.setdefault(PurePosixPath(stem).name, path)
            if other != path:
                layout.problems.append(Problem(code="image_stem_twice", file=path, params={"other": other}))
            found.append(ImageFile(split, path, label))
    for stem, labels in files.labels.items():
        if stem not in files.images:
            layout.problems.extend(Problem(code="label_without_image", file=path) for path in labels)
    yield from sorted(found, key=lambda image: image.name)


def _suffix_list() -> str:
    return " ".join(sorted(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES))
