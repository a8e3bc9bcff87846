"""Points of graphs, in columnar chunks: one document per series of a batch, numbers as packed little-endian bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pymongo import ASCENDING, ReplaceOne
from pymongo.database import Database

from backend.domain.event_lines import Points
from backend.stores.mongo.driver_errors import translates_driver_errors

INT32 = np.iinfo(np.int32)


@dataclass(frozen=True)
class SeriesColumns:
    """One series, all its points in order. `values` may hold NaN and infinities."""

    name: str
    values: npt.NDArray[np.float64]
    epochs: npt.NDArray[np.int64]
    iters: npt.NDArray[np.int64]


@translates_driver_errors
class RunPointStore:
    """A chunk's id is where it stood in the event file, so storing it again replaces it by itself."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._chunks = database["run_points"]

    def put(self, run_id: str, file: str, offset: int, points_by_series: dict[str, Points]) -> None:
        """Store the points that one batch brought."""
        if points_by_series:
            documents = (_to_document(run_id, file, offset, *named) for named in points_by_series.items())
            self._chunks.bulk_write([ReplaceOne({"_id": d["_id"]}, d, upsert=True) for d in documents], ordered=False)

    def series(self, run_id: str) -> list[SeriesColumns]:
        """All graphs of a run in the order in which they first appeared."""
        chunks = self._chunks.find({"run_id": run_id}, {"infos": 0}).sort(
            [("series", ASCENDING), ("file", ASCENDING), ("offset", ASCENDING)]
        )
        found = [(_joined(name, part), part[0]["first_time"]) for name, part in _by_series(chunks)]
        return [columns for columns, _ in sorted(found, key=lambda pair: (pair[1], pair[0].name))]


def _by_series(chunks: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    part: list[dict[str, Any]] = []
    for chunk in chunks:
        if part and part[0]["series"] != chunk["series"]:
            yield part[0]["series"], part
            part = []
        part.append(chunk)
    if part:
        yield part[0]["series"], part


def _joined(name: str, chunks: list[dict[str, Any]]) -> SeriesColumns:
    values, epochs, iters = (np.concatenate([_unpacked(c, column) for c in chunks]) for column in _NUMBERS)
    columns = SeriesColumns(name, values, epochs.astype(np.int64), iters.astype(np.int64))
    if len({chunk["file"] for chunk in chunks}) > 1:
        # Several processes wrote one graph: their files are merged by time.
        order = np.argsort(np.concatenate([_unpacked(c, "times") for c in chunks]), kind="stable")
        columns = SeriesColumns(name, columns.values[order], columns.epochs[order], columns.iters[order])
    return columns


_NUMBERS = ("values", "epochs", "iters")


def _to_document(run_id: str, file: str, offset: int, series: str, points: Points) -> dict[str, Any]:
    return {
        "_id": f"{run_id}:{file}:{offset}:{series}",
        "run_id": run_id,
        "series": series,
        "file": file,
        "offset": offset,
        "count": len(points.values),
        "first_time": points.times[0],
        "values": np.asarray(points.values, "<f8").tobytes(),
        "times": np.asarray(points.times, "<f8").tobytes(),
        "epochs": _packed_integers(points.epochs),
        "iters": _packed_integers(points.iters),
        "infos": [{"position": position, "json": text} for position, text in points.infos.items()],
    }


def _packed_integers(numbers: list[int]) -> bytes:
    fits = INT32.min <= min(numbers) and max(numbers) <= INT32.max
    return np.asarray(numbers, "<i4" if fits else "<i8").tobytes()


def _unpacked(chunk: dict[str, Any], column: str) -> npt.NDArray[Any]:
    content: bytes = chunk[column]
    if column in ("values", "times"):
        return np.frombuffer(content, "<f8")
    return np.frombuffer(content, "<i4" if len(content) == 4 * chunk["count"] else "<i8")
