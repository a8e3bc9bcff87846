"""Samples of a PlatformAPI dataset: the same checks as for a YOLO folder, on the platform's markup JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from defects_in_welds.data.problems import Problem
from defects_in_welds.data.samples import BoxCollector, Sample, check_images


def read_platform_sample(
    image_paths: Sequence[str], markup_paths: Sequence[str], classes: list[str]
) -> tuple[list[Sample], list[Problem]]:
    """Samples and faults; markup i belongs to image i, and there may be no markup at all."""
    images = [Path(path) for path in image_paths]
    markups = [Path(path) for path in markup_paths] or [None] * len(images)
    samples: list[Sample] = []
    problems: list[Problem] = []
    checked = check_images(images, [path.name for path in images])
    for image, markup, (size, faults) in zip(images, markups, checked, strict=True):
        problems += faults
        collector = BoxCollector(markup.name if markup else image.name, size, problems)
        if markup:
            _read_markup(markup, collector, classes)
        if size is not None:
            samples.append(collector.sample(image))
    return samples, problems


def _read_markup(path: Path, collector: BoxCollector, classes: list[str]) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        annotations = json.loads(text)["annotation"]
        lines = _lines_of(text, len(annotations))
        for annotation, line in zip(annotations, lines, strict=True):
            _add(annotation, line, collector, classes)
    except (ValueError, KeyError, TypeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        collector.problems.append(Problem("markup_wrong", collector.file, line, {"detail": repr(error)[:200]}))


def _add(annotation: dict[str, Any], line: int, collector: BoxCollector, classes: list[str]) -> None:
    points = annotation["shape"].get("exterior")
    if not points:  # the platform's way to give a class to the whole image
        collector.problems.append(Problem("shape_missing", collector.file, line, {"name": annotation["class"]}))
        return
    if annotation["class"] not in classes:
        holes = {"class_id": annotation["class"], "known": ", ".join(classes)}
        collector.problems.append(Problem("class_unknown", collector.file, line, holes))
        return
    # Of any other shape than a rectangle its bounding box, as of a polygon in a YOLO label.
    xs, ys = zip(*points, strict=True)
    collector.add((min(xs), min(ys), max(xs), max(ys)), classes.index(annotation["class"]), line)


def _lines_of(text: str, count: int) -> list[int]:
    """The line on which each annotation's class stands; line 1 for all where the file is written on one line."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) for _ in range(line.count('"class":'))]
    return lines if len(lines) == count else [1] * count
