"""Reads a YOLO folder, {train,valid,test}/{images,labels} and data.yaml; everything that is wrong comes at once."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from defects_in_welds.data.advice import split_advice
from defects_in_welds.data.image_files import IMAGE_SUFFIXES, Size
from defects_in_welds.data.problems import Problem
from defects_in_welds.data.samples import Box, BoxCollector, Sample, check_images

SPLITS = {"train": ("train",), "valid": ("valid", "val"), "test": ("test",)}


@dataclass
class YoloData:
    """`samples` by split, in the order of file names; files in `problems` are named relative to the folder's parent."""

    classes: list[str] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_yolo_folder(folder: Path) -> YoloData:
    """Every sample and every fault; raises for nothing inside the folder. An image without labels has no boxes."""
    data = YoloData()
    if not folder.is_dir():
        data.problems.append(Problem("folder_missing", str(folder)))
        return data
    data.classes = _read_classes(folder / "data.yaml", data.problems)
    shown = {}
    for split, names in SPLITS.items():
        part = next((folder / name for name in names if (folder / name).is_dir()), folder / names[0])
        shown[split] = _shown(part, folder.parent)
        data.samples[split] = _read_split(part, data)
    data.problems += split_advice(data.samples, data.classes, shown)
    return data


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _read_classes(path: Path, problems: list[Problem]) -> list[str]:
    shown = _shown(path, path.parents[1])
    if not path.is_file():
        problems.append(Problem("names_missing", shown))
        return []
    try:
        names = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
        if not isinstance(names, list | dict):
            raise TypeError(type(names).__name__)
        names = [names[i] for i in range(len(names))]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(Problem("names_wrong", shown, mark and mark.line + 1))
        return []
    classes = [str(name) for name in names]
    if not classes or len(set(classes)) != len(classes):
        problems.append(Problem("names_wrong", shown))
        return []
    return classes


def _read_split(part: Path, data: YoloData) -> list[Sample]:
    root, images, labels = part.parents[1], part / "images", part / "labels"
    missing = [one for one in (images, labels) if not one.is_dir()]
    data.problems += [Problem("folder_missing", _shown(one, root)) for one in missing]
    if images in missing:
        return []
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        holes = {"suffixes": " ".join(sorted(IMAGE_SUFFIXES))}
        data.problems.append(Problem("images_missing", _shown(images, root), None, holes))
    by_stem: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_stem:
            holes = {"other": _shown(by_stem[path.stem], root)}
            data.problems.append(Problem("image_twice", _shown(path, root), None, holes))
        by_stem[path.stem] = path
    for label in sorted(labels.glob("*.txt")):
        if label.stem not in by_stem:
            holes = {"stem": label.stem, "folder": _shown(images, root)}
            data.problems.append(Problem("image_missing", _shown(label, root), 1, holes))
    samples = []
    for path, (size, problems) in zip(paths, check_images(paths, [_shown(p, root) for p in paths]), strict=True):
        data.problems += problems
        # The labels of a broken image are checked, too, as far as they can be: all faults at once.
        collector = BoxCollector(_shown(labels / f"{path.stem}.txt", root), size, data.problems)
        _read_labels(labels / f"{path.stem}.txt", collector, len(data.classes))
        if size is not None:
            samples.append(collector.sample(path))
    return samples


def _read_labels(path: Path, collector: BoxCollector, class_count: int) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except UnicodeDecodeError as error:
        collector.problems.append(Problem("text_wrong", collector.file, None, {"detail": str(error)}))
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            class_id, box = _parsed(line.split(), collector.size or (1, 1))
        except (ValueError, OverflowError):
            holes = {"text": line[:80]}
            collector.problems.append(Problem("line_wrong", collector.file, number, holes))
            continue
        # Without names no id can be judged; that they are missing is a fault of its own.
        if class_count and not 0 <= class_id < class_count:
            holes = {"class_id": class_id, "known": f"0…{class_count - 1}"}
            collector.problems.append(Problem("class_unknown", collector.file, number, holes))
        else:
            collector.add(box, class_id, number)


def _parsed(fields: list[str], size: Size) -> tuple[int, Box]:
    """(class id, box in pixels) of `class cx cy w h` or of a polygon `class x1 y1 x2 y2 x3 y3 …`, all relative."""
    # Some tools write class ids as floats.
    if float(fields[0]) != int(float(fields[0])):
        raise ValueError(fields[0])
    class_id, numbers = int(float(fields[0])), [float(value) for value in fields[1:]]
    if any(value - value != 0 for value in numbers):  # nan, inf
        raise ValueError("not finite")
    if len(numbers) == 4:
        x, y, w, h = numbers
        x1, y1, x2, y2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    elif len(numbers) >= 6 and len(numbers) % 2 == 0:
        x1, y1, x2, y2 = min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])
    else:
        raise ValueError(f"{len(fields)} fields")
    return class_id, (x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1])
