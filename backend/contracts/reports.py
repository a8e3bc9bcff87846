"""What a run reported: messages, points, metrics, results for images, artifacts."""

from datetime import datetime
from typing import Any, Literal

from backend.contracts.base import Contract, Reason
from backend.contracts.markup import Markup

MessageLevel = Literal["info", "warning", "error"]
MESSAGE_LEVELS: tuple[MessageLevel, ...] = ("info", "warning", "error")


class Message(Contract):
    """One line of the information field; `time` is Unix seconds.

    `reason` is set on the workstation's own messages: a page shows it in the reader's language instead of `text`.
    """

    time: float
    level: MessageLevel
    text: str
    reason: Reason | None = None


class SeriesStats(Contract):
    """Statistics over every point of a graph. Values that are no numbers count in `special_count` only.

    `std` is that of the whole, not of a sample of it. None: there is no finite value, or the number itself is not one.
    """

    count: int
    special_count: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    mean: float | None
    std: float | None
    first: float | None
    first_step: int
    last: float | None
    last_step: int


class Series(Contract):
    """One graph, columnar; equal lengths. `steps` is the x axis: iterations, or epochs where iterations repeat.

    `special` says at which places `values` has None for "nan", "inf" or "-inf". `is_exact`: no point of what was asked
    for was left out. `total` and `stats` are of the whole graph, whatever range was asked for.
    """

    name: str
    values: tuple[float | None, ...]
    epochs: tuple[int, ...]
    iters: tuple[int, ...]
    steps: tuple[int, ...]
    total: int
    special: dict[int, str] = {}
    is_exact: bool = True
    stats: SeriesStats


class SeriesSummary(Contract):
    """A graph by name, without its points."""

    name: str
    stats: SeriesStats


class PointsReply(Contract):
    """Graphs of a run, each downsampled to the number of points asked for. A new point changes `version`."""

    version: int
    series: tuple[Series, ...]


class Metric(Contract):
    """A test metric. `data` by kind:

    table     {"columns": [str], "rows": [[cell]], "index": [str] | None}
    matrix    {"values": [[float]], "row_labels": [str], "column_labels": [str]}
    confusion {"values": [[int]], "labels": [str]}                 rows are the truth, columns the prediction
    histogram {"counts": [float], "edges": [float]}                len(edges) == len(counts) + 1
    """

    name: str
    kind: Literal["table", "matrix", "confusion", "histogram"]
    data: dict[str, Any]
    description: str = ""


class Result(Contract):
    """Predicted markup of one image, beside the truth it had when the run started (None where the image is unknown)."""

    index: int
    name: str
    description: str
    item_id: str | None
    dataset_id: str | None
    image: str | None
    width: int | None
    height: int | None
    prediction: Markup
    truth: Markup | None


class ResultPage(Contract):
    """A slice of results ordered by image name. `classes` lists every class met in predictions or truth of the run."""

    results: tuple[Result, ...]
    total: int
    classes: tuple[str, ...] = ()


class Artifact(Contract):
    """A file that a run produced, complete and hash-checked. `kind`: pytorch, onnx, checkpoint, log or file."""

    path: str
    kind: str
    sha256: str
    size_bytes: int
    created_at: datetime
    info: dict[str, Any] = {}
