"""A local YOLO folder as samples of a script that runs alone: {train,val|valid,test}/{images,labels} and data.yaml.

Not the workstation's import: that one is stricter, reports every fault at once and lives in the backend.
"""

import os
from pathlib import Path
from typing import Any

from PlatformAPI.dataset_files import ImageEntry
from PlatformAPI.errors import RunFolderError
from PlatformAPI.parameter_file import read_document

FOLDERS = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def data_dir(script_dir: Path) -> Path:
    """ARM_DATA_DIR, else `data/` beside the script. Raises RunFolderError if ARM_DATA_DIR is no folder."""
    given = os.environ.get("ARM_DATA_DIR")
    if given and not Path(given).is_dir():
        raise RunFolderError(f"ARM_DATA_DIR names {given}, which is not a folder")
    return Path(given).absolute() if given else script_dir / "data"


def roles(folder: Path) -> list[str]:
    """The parts that are there, ordered train, val, test."""
    return [role for role in FOLDERS if _part(folder, role)]


def read_classes(folder: Path) -> list[str]:
    """`names` of data.yaml: a list, or a mapping from 0-based id to name. Raises RunFolderError naming the file."""
    path = folder / "data.yaml"
    if not path.is_file():
        raise RunFolderError(f"{path} is not there; it must name the classes: `names: [pore, crack]`")
    document = read_document(path)
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict):
        names = [names.get(i) for i in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str | int) for name in names):
        raise RunFolderError(f"{path}: `names` must list the classes, numbered from 0 without gaps")
    return [str(name) for name in names]


def version_of(folder: Path, role: str) -> str:
    """Changes when an image, a label file or data.yaml is added, removed or edited."""
    part = _part(folder, role)
    if part is None:
        raise RunFolderError(f"sample {role!r} is not in {folder}; it needs {' or '.join(FOLDERS[role])}/images")
    import hashlib

    digest = hashlib.sha256()
    for path in [folder / "data.yaml", *_images(part), *sorted((part / "labels").glob("*.txt"))]:
        stat = path.stat() if path.is_file() else None
        digest.update(f"{path}\0{stat and (stat.st_size, stat.st_mtime_ns)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def entries(folder: Path, role: str) -> list[ImageEntry]:
    """The images of a part, by name, with their labels as platform markup. The images stay where they lie."""
    part = _part(folder, role)
    assert part is not None, "version_of was called before and raises for a missing part"
    classes = read_classes(folder)
    return [
        ImageEntry(path.name, path, _markup(path, part / "labels" / f"{path.stem}.txt", classes), is_in_place=True)
        for path in _images(part)
    ]


def _part(folder: Path, role: str) -> Path | None:
    return next((folder / name for name in FOLDERS[role] if (folder / name / "images").is_dir()), None)


def _images(part: Path) -> list[Path]:
    return sorted(path for path in (part / "images").iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def _markup(image: Path, labels: Path, classes: list[str]) -> dict[str, Any]:
    annotations = []
    lines = labels.read_text(encoding="utf-8").splitlines() if labels.is_file() else []
    width, height = _size(image) if lines else (0, 0)
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                annotations.append(_annotation(line.split(), classes, width, height))
            except ValueError as error:
                raise RunFolderError(f"{labels}, line {number}: {error}") from error
    return {"version": 1, "image": {"representation": "", "value": ""}, "annotation": annotations}


def _size(image: Path) -> tuple[int, int]:
    try:
        from PIL import Image
    except ImportError as error:
        raise RunFolderError("reading image sizes of a YOLO folder needs Pillow: run `pip install pillow`") from error
    try:
        with Image.open(image) as opened:  # reads the header only
            return opened.size
    except OSError as error:
        raise RunFolderError(f"{image} is not a readable image: {error}") from error


def _annotation(fields: list[str], classes: list[str], width: int, height: int) -> dict[str, Any]:
    """`class cx cy w h`, or `class x1 y1 x2 y2 x3 y3 …` (a polygon, taken as its bounding box); all relative, 0..1."""
    class_id = int(fields[0])
    if not 0 <= class_id < len(classes):
        raise ValueError(f"class {class_id} is unknown, data.yaml names 0..{len(classes) - 1}")
    numbers = [float(field) for field in fields[1:]]
    if not all(0 <= number <= 1 for number in numbers):
        raise ValueError(f"coordinates must be from 0 to 1, they are {numbers}")
    if len(numbers) == 4:
        cx, cy, w, h = numbers
        xs, ys = (cx - w / 2, cx + w / 2), (cy - h / 2, cy + h / 2)
    elif len(numbers) >= 6 and len(numbers) % 2 == 0:
        xs, ys = (min(numbers[::2]), max(numbers[::2])), (min(numbers[1::2]), max(numbers[1::2]))
    else:
        raise ValueError(f"a label is `class cx cy w h`, this one has {len(fields)} fields")
    x1, x2 = (min(max(x, 0.0), 1.0) * width for x in xs)
    y1, y2 = (min(max(y, 0.0), 1.0) * height for y in ys)
    shape = {"type": "rectangle", "exterior": [[x1, y1], [x2, y2]], "interior": []}
    return {"description": "ObjectDetection", "class": classes[class_id], "shape": shape}
