"""Reads lines of an event file (docs/run-folder.md) into what they report; a bad line is counted, never fatal."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from backend.contracts.markup import Markup
from backend.contracts.reports import MessageLevel, Metric

MAX_LINE_BYTES = 12 << 20
"""A line becomes at most one MongoDB document, and those end at 16 MiB."""
MAX_TEXT_CHARS = 65_536
MAX_NAME_CHARS = 500
MAX_DEPTH = 32
"""Deeper JSON overflows the stacks of those who read it later; no table or matrix needs it."""
MAX_TIME_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_INT64 = range(-(2**63), 2**63)
_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class _Line(msgspec.Struct, tag_field="k"):
    t: float


class _Progress(_Line, tag="progress"):
    v: float


class _Message(_Line, tag="message"):
    level: MessageLevel
    text: str


class _Point(_Line, tag="point"):
    name: str
    v: float | None
    e: int
    i: int
    special: str = "nan"
    info: msgspec.Raw = msgspec.Raw(b"")


class _Metric(_Line, tag="metric"):
    name: str
    kind: str
    data: dict[str, Any]
    description: str = ""


class _Result(_Line, tag="result"):
    image: str
    markup: dict[str, Any]
    description: str = ""


class _Artifact(_Line, tag="artifact"):
    path: str


class _Status(_Line, tag="status"):
    what: str


_AnyLine = _Progress | _Message | _Point | _Metric | _Result | _Artifact | _Status
_decoder = msgspec.json.Decoder(_AnyLine)


@dataclass
class Points:
    """New points of one series, in the order of their lines. `infos` are JSON by position."""

    values: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    iters: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    infos: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TimedText:
    """A message's time (Unix seconds) and text."""

    time: float
    text: str


@dataclass(frozen=True)
class TimedMetric:
    """A metric and when it was saved: of two with one name the later wins."""

    time: float
    metric: Metric


@dataclass(frozen=True)
class TimedResult:
    """Predicted markup of one image and when it was saved: of two for one image the later wins."""

    time: float
    image: str
    description: str
    markup: Markup


@dataclass(frozen=True)
class BadLine:
    """The first line of a batch that could not be read: its number in the batch from 1, and why."""

    line: int
    detail: str


@dataclass
class EventBatch:
    """Everything that a piece of an event file reports."""

    progress: tuple[float, float] | None = None
    """(time, 0..100), the newest"""
    messages: dict[MessageLevel, list[TimedText]] = field(default_factory=lambda: defaultdict(list))
    points: dict[str, Points] = field(default_factory=lambda: defaultdict(Points))
    metrics: dict[str, TimedMetric] = field(default_factory=dict)
    results: dict[str, TimedResult] = field(default_factory=dict)
    sdk_ready_at: float | None = None
    malformed_count: int = 0
    first_malformed: BadLine | None = None

    @property
    def point_count(self) -> int:
        """Points of all series."""
        return sum(len(points.values) for points in self.points.values())


def whole_lines(content: bytes, limit_bytes: int) -> bytes:
    """The longest prefix of whole lines within `limit_bytes`; one longer line alone if it is the first; else nothing.

    A last line without its line break is torn: it is left for later.
    """
    end = content.rfind(b"\n", 0, limit_bytes) + 1
    if end == 0 and len(content) > limit_bytes:
        end = content.find(b"\n", limit_bytes) + 1
    return content[:end]


def read_events(content: bytes) -> EventBatch:
    """Read whole lines. What is no event is counted in `malformed_count`; the rest is unharmed by it."""
    batch = EventBatch()
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        if not line.strip():
            continue
        try:
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(f"longer than {MAX_LINE_BYTES >> 20} MiB")
            _add(batch, _decoder.decode(line))
        except RecursionError:
            _count_bad(batch, number, f"nested deeper than {MAX_DEPTH}")
        except (ValueError, ValidationError) as error:  # msgspec's errors are ValueErrors
            _count_bad(batch, number, str(error).split("\n")[0][:300])
    return batch


def _count_bad(batch: EventBatch, number: int, detail: str) -> None:
    batch.malformed_count += 1
    batch.first_malformed = batch.first_malformed or BadLine(number, detail)


def check_depth(value: Any, allowed: int = MAX_DEPTH) -> None:
    """Raise ValueError when lists and objects are nested deeper than `allowed` levels."""
    if isinstance(value, dict | list):
        if allowed == 0:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        for inner in value.values() if isinstance(value, dict) else value:
            check_depth(inner, allowed - 1)


def _add(batch: EventBatch, line: _AnyLine) -> None:
    if not 0 <= line.t <= MAX_TIME_S:
        raise ValueError(f"'t' must be Unix seconds, not {line.t}")
    match line:
        case _Progress():
            batch.progress = (line.t, min(max(line.v, 0.0), 100.0))
        case _Message():
            batch.messages[line.level].append(TimedText(line.t, _storable(line.text)[:MAX_TEXT_CHARS]))
        case _Point():
            _add_point(batch, line)
        case _Metric():
            name = _checked_name(line.name)
            check_depth(line.data)
            _storable(json.dumps(line.data, ensure_ascii=False))
            metric = Metric.model_validate(
                {"name": name, "kind": line.kind, "data": line.data, "description": _storable(line.description)}
            )
            _check_metric_shape(metric)
            batch.metrics[name] = TimedMetric(line.t, metric)
        case _Result():
            name = _checked_name(line.image.replace("\\", "/").rsplit("/", 1)[-1])
            check_depth(line.markup)
            _storable(json.dumps(line.markup, ensure_ascii=False))
            markup = Markup.model_validate(line.markup)
            batch.results[name] = TimedResult(line.t, name, _storable(line.description)[:MAX_NAME_CHARS], markup)
        case _Status(what="sdk_ready"):
            batch.sdk_ready_at = line.t if batch.sdk_ready_at is None else min(line.t, batch.sdk_ready_at)
        case _Status() | _Artifact():
            pass  # The agent uploads artifacts itself; other states of the SDK are of no interest yet.


def _add_point(batch: EventBatch, line: _Point) -> None:
    name = _checked_name(line.name)
    if line.e not in _INT64 or line.i not in _INT64:
        raise ValueError(f"epoch or iteration of '{name}' does not fit into 64 bits")
    info = bytes(line.info).decode() if line.info else ""
    points = batch.points[name]
    if info and info != "null":
        points.infos[len(points.values)] = _storable(info)
    points.values.append(_SPECIAL.get(line.special, math.nan) if line.v is None else line.v)
    points.epochs.append(line.e)
    points.iters.append(line.i)
    points.times.append(line.t)


def _checked_name(name: str) -> str:
    if not name or len(name) > MAX_NAME_CHARS:
        raise ValueError(f"a name must have 1 to {MAX_NAME_CHARS} characters")
    return _storable(name)


def _storable(text: str) -> str:
    """Half a surrogate pair passes JSON but no database and no page."""
    text.encode()  # UnicodeEncodeError is a ValueError
    return text


def _check_metric_shape(metric: Metric) -> None:
    """Raise ValueError unless `data` has the shape its kind promises (contracts/runs.py, Metric)."""
    data = metric.data
    match metric.kind:
        case "table":
            width, rows, index = len(_list(data, "columns")), _list(data, "rows"), data.get("index")
            fits = _is_scalars(data["columns"])
            fits = fits and all(isinstance(row, list) and len(row) == width and _is_scalars(row) for row in rows)
            fits = fits and (
                index is None or (isinstance(index, list) and len(index) == len(rows) and _is_scalars(index))
            )
        case "matrix":
            rows, width = _list(data, "values"), len(_list(data, "column_labels"))
            fits = len(_list(data, "row_labels")) == len(rows) and all(_is_numbers(row, width) for row in rows)
            fits = fits and _is_scalars(data["row_labels"]) and _is_scalars(data["column_labels"])
        case "confusion":
            rows, width = _list(data, "values"), len(_list(data, "labels"))
            fits = len(rows) == width and all(_is_numbers(row, width) for row in rows) and _is_scalars(data["labels"])
        case "histogram":
            counts, edges = _list(data, "counts"), _list(data, "edges")
            fits = _is_numbers(counts, len(counts)) and _is_numbers(edges, len(counts) + 1)
    if not fits:
        raise ValueError(f"the data of {metric.kind} '{metric.name}' does not have its shape")


def _list(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list):
        raise ValueError(f"'{key}' must be a list")
    return value


def _is_numbers(row: Any, length: int) -> bool:
    return isinstance(row, list) and len(row) == length and all(x is None or isinstance(x, int | float) for x in row)


def _is_scalars(values: list[Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)
