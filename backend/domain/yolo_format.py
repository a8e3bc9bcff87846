"""The YOLO text format: class lists and label rows. Boxes leave here in pixels of the stored image."""

import math
from dataclasses import dataclass

import yaml

from backend.contracts.base import Problem
from backend.contracts.markup import Annotation, Markup, Shape
from backend.domain import located_yaml
from backend.domain.errors import InvalidInputError

ROUNDING = 1e-6
"""How far a number may leave 0..1: tools print six digits."""
EDGE_SLACK = 1e-3
"""How far an edge (centre plus half the size) may leave the image before it is an error; it is clipped either way."""
MAX_CLASSES = 10_000
MAX_CLASS_NAME = 200


@dataclass(frozen=True)
class ImageSize:
    """Width and height of an image, pixels."""

    width: int
    height: int


class _RowError(Exception):
    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def class_names(content: bytes, file: str) -> tuple[str, ...]:
    """Class names of a data.yaml (`names` a list or a dict from 0 up, `nc` if given) or a classes.txt, in id order.

    Raises InvalidInputError whose problems name the file and line.
    """
    names = _names_from_text(content, file) if file.endswith(".txt") else _names_from_yaml(content, file)
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for name, line in names:
        if not name or len(name) > MAX_CLASS_NAME or not name.isprintable():
            problems.append(Problem(code="class_name_bad", file=file, line=line, params={"name": name[:50]}))
        elif name in seen:
            problems.append(Problem(code="class_name_twice", file=file, line=line, params={"name": name}))
        seen.setdefault(name, line)
    if not 0 < len(names) <= MAX_CLASSES:
        problems.append(
            Problem(code="classes_count_bad", file=file, params={"count": len(names), "limit": MAX_CLASSES})
        )
    if problems:
        raise InvalidInputError("dataset_invalid", problems, count=len(problems))
    return tuple(name for name, _ in names)


def parse_labels(
    content: bytes, file: str, classes: tuple[str, ...] | None, size: ImageSize
) -> tuple[Markup, list[Problem]]:
    """Markup of one label file, and every fault in it, located by line.

    Rows are `class cx cy w h` or `class x1 y1 x2 y2 x3 y3 …` (a polygon becomes its box), as fractions of the image.
    `classes` None (the class list itself is at fault) skips the check of class numbers.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return Markup(), [Problem(code="text_not_utf8", file=file, line=line)]
    annotations: list[Annotation] = []
    problems: list[Problem] = []
    for number, row in enumerate(text.split("\n"), start=1):
        fields = row.split()
        if not fields:
            continue
        try:
            annotations.append(_annotation(fields, classes, size))
        except _RowError as fault:
            problems.append(Problem(code=fault.code, file=file, line=number, params=fault.params))
    return Markup(annotation=tuple(annotations)), problems


def _annotation(fields: list[str], classes: tuple[str, ...] | None, size: ImageSize) -> Annotation:
    if len(fields) != 5 and (len(fields) < 7 or len(fields) % 2 == 0):
        raise _RowError("label_field_count", count=len(fields))
    class_name = _class_name(fields[0], classes)
    numbers = [_fraction(text) for text in fields[1:]]
    if len(numbers) == 4:
        cx, cy, w, h = numbers
        edges = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    else:
        xs, ys = numbers[0::2], numbers[1::2]
        edges = (min(xs), min(ys), max(xs), max(ys))
    if any(not -EDGE_SLACK <= edge <= 1 + EDGE_SLACK for edge in edges):
        raise _RowError("box_outside_image", box=" ".join(f"{edge:.4f}" for edge in edges))
    x1, x2 = (_pixels(edge, size.width) for edge in edges[0::2])
    y1, y2 = (_pixels(edge, size.height) for edge in edges[1::2])
    if not (x1 < x2 and y1 < y2):
        raise _RowError("box_empty", row=" ".join(fields)[:80])
    return Annotation(class_name=class_name, shape=Shape(type="rectangle", exterior=((x1, y1), (x2, y2))))


def _class_name(text: str, classes: tuple[str, ...] | None) -> str:
    number = _number(text)
    # Some exporters write the class as 3.0; anything else with a fraction is a mistake.
    if not (math.isfinite(number) and number == int(number)):
        raise _RowError("class_not_integer", value=text[:40])
    if classes is None:
        return ""
    if not 0 <= number < len(classes):
        raise _RowError("class_out_of_range", value=int(number), last=len(classes) - 1)
    return classes[int(number)]


def _fraction(text: str) -> float:
    value = _number(text)
    if not math.isfinite(value):
        raise _RowError("label_not_number", value=text[:40])
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise _RowError("coordinate_out_of_range", value=text[:40])
    return value


def _number(text: str) -> float:
    """NaN for what is no plain number; Python would also take 1_000."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _pixels(edge: float, length: int) -> float:
    return round(min(max(edge, 0.0), 1.0) * length, 3)


def _names_from_text(content: bytes, file: str) -> list[tuple[str, int]]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise _class_fault("text_not_utf8", file, None) from None
    return [(line.strip(), number) for number, line in enumerate(lines, start=1) if line.strip()]


def _names_from_yaml(content: bytes, file: str) -> list[tuple[str, int]]:
    root = located_yaml.compose(content, file)
    if not isinstance(root, yaml.MappingNode):
        raise _class_fault("yaml_not_mapping", file, 1)
    keys = {key.value: value for key, value in root.value}
    names = keys.get("names")
    if isinstance(names, yaml.SequenceNode):
        found = list(names.value)
    elif isinstance(names, yaml.MappingNode):
        found = _ordered_by_id(names, file)
    else:
        raise _class_fault("yaml_names_missing", file, located_yaml.line_of(names) if names else None)
    for node in found:
        if not isinstance(node, yaml.ScalarNode):
            raise _class_fault("class_name_bad", file, located_yaml.line_of(node), name="")
    count = keys.get("nc")
    if isinstance(count, yaml.ScalarNode) and located_yaml.scalar_value(count) != len(found):
        raise _class_fault(
            "class_count_differs", file, located_yaml.line_of(count), declared=count.value[:20], found=len(found)
        )
    # The text as written: a class called `no` or `1` must not become False or a number.
    return [(str(node.value).strip(), located_yaml.line_of(node)) for node in found]


def _ordered_by_id(names: yaml.MappingNode, file: str) -> list[yaml.Node]:
    by_id = {str(key.value).strip(): value for key, value in names.value}
    if len(by_id) != len(names.value) or set(by_id) != {str(number) for number in range(len(by_id))}:
        raise _class_fault("class_ids_not_contiguous", file, located_yaml.line_of(names))
    return [by_id[str(number)] for number in range(len(by_id))]


def _class_fault(code: str, file: str, line: int | None, **params: object) -> InvalidInputError:
    return InvalidInputError("dataset_invalid", [Problem(code=code, file=file, line=line, params=params)], count=1)
