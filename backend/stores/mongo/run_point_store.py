"""Points of graphs. What a batch brought is a chunk of packed columns; chunks become blocks, blocks are folded.

    run_points        small chunks, one a series of a batch; a chunk's id is where it stood in the event file
    run_point_blocks  thousands of points each; a block's id is where it begins, and it is never changed
    run_series        one fold a series of an event file (domain/series_fold.py): plot and statistics up to an offset

Order of writes makes a crash at any moment harmless: block, then fold, then the chunks are dropped. So a chunk that is
gone is in a fold, and readers look at chunks first, then at folds, and ignore chunks that begin before the fold's
`upto`. A late sender may bring a dropped chunk back: it is ignored in the same way, and dropped again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pymongo import ASCENDING, ReplaceOne
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.domain.event_lines import Points
from backend.domain.series_fold import ROW, Rows, SeriesFold
from backend.domain.series_view import Axis
from backend.stores.mongo.driver_errors import translates_driver_errors

INT32 = np.iinfo(np.int32)
BLOCK_POINTS = 8192
BLOCK_BYTES = 4 << 20
_COLUMNS = {"values": "value", "times": "time", "epochs": "epoch", "iters": "iter"}


@dataclass(frozen=True)
class Chunk:
    """The points of one series that one batch brought; positions in `rows` count from 0 in the chunk."""

    file: str
    series: str
    offset: int
    rows: Rows


@dataclass(frozen=True)
class Unsealed:
    """What of one series still lies in small chunks."""

    series: str
    chunk_count: int
    point_count: int


@translates_driver_errors
class RunPointStore:
    """Adds and reads points. Storing a batch again replaces it by itself."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._chunks = database["run_points"]
        self._blocks = database["run_point_blocks"]
        self._folds = database["run_series"]

    def put(self, run_id: str, file: str, offset: int, points_by_series: dict[str, Points]) -> None:
        """Store the points that one batch brought."""
        if points_by_series:
            documents = (_chunk_document(run_id, file, offset, *named) for named in points_by_series.items())
            self._chunks.bulk_write([ReplaceOne({"_id": d["_id"]}, d, upsert=True) for d in documents], ordered=False)

    # --- reading ---

    def chunks(self, run_id: str, file: str, start: int, end: int, series: str | None = None) -> list[Chunk]:
        """Small chunks that begin in [start, end) of an event file, ascending."""
        query: dict[str, Any] = {"run_id": run_id, "file": file, "offset": {"$gte": start, "$lt": end}}
        if series is not None:
            query["series"] = series
        found = self._chunks.find(query, {"infos": 0}).sort("offset", ASCENDING)
        return [Chunk(file, d["series"], d["offset"], _rows(d, 0)) for d in found]

    def fold_marks(self, run_id: str) -> dict[tuple[str, str], int]:
        """`upto` of every stored fold by (file, series)."""
        found = self._folds.find({"run_id": run_id}, {"_id": 0, "file": 1, "series": 1, "upto": 1})
        return {(d["file"], d["series"]): d["upto"] for d in found}

    def folds(self, run_id: str, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], SeriesFold]:
        """The stored folds of these (file, series)."""
        found = self._folds.find({"_id": {"$in": [_key(run_id, *key) for key in keys]}})
        return {
            (d["file"], d["series"]): SeriesFold(
                kept=np.frombuffer(d["kept"], ROW), **{name: d[name] for name in _FOLD_NUMBERS}
            )
            for d in found
        }

    def fold(self, run_id: str, file: str, series: str) -> SeriesFold:
        """The stored fold, or an empty one."""
        return self.folds(run_id, [(file, series)]).get((file, series), SeriesFold())

    def fold_end(self, run_id: str, file: str, series: str) -> tuple[int, int]:
        """`count` and `upto` of the stored fold: blocks hold as many points, and chunks from there on the rest."""
        found = self._folds.find_one({"_id": _key(run_id, file, series)}, {"count": 1, "upto": 1})
        return (0, 0) if found is None else (found["count"], found["upto"])

    def block_rows(
        self, run_id: str, file: str, series: str, axis: Axis, low: int, high: int, before: int
    ) -> Iterator[Rows]:
        """Points with `low` <= axis <= `high`, of positions under `before`, block by block."""
        first, last = ("position", "last_position") if axis == "pos" else (f"{axis}_min", f"{axis}_max")
        query = {"run_id": run_id, "file": file, "series": series, "position": {"$lt": before}}
        query[last] = {"$gte": low}
        query[first] = {"$lte": high} if axis != "pos" else {"$lte": high, "$lt": before}
        found = self._blocks.find(query, {"infos": 0}, batch_size=16).sort("position", ASCENDING)
        for document in found:
            rows = _rows(document, document["position"])
            yield rows[(rows[axis] >= low) & (rows[axis] <= high)]

    # --- sealing, in this order ---

    def unsealed(self, run_id: str, file: str, upto: int) -> list[Unsealed]:
        """Small chunks that begin before `upto`, counted by series."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"run_id": run_id, "file": file, "offset": {"$lt": upto}}},
            {"$group": {"_id": "$series", "chunks": {"$sum": 1}, "points": {"$sum": "$count"}}},
        ]
        return [Unsealed(d["_id"], d["chunks"], d["points"]) for d in self._chunks.aggregate(pipeline)]

    def put_block(self, run_id: str, file: str, series: str, fold: SeriesFold, upto: int) -> tuple[Rows, int] | None:
        """Join the chunks in [fold.upto, upto), as many as a block holds; its rows and the offset it covers up to.

        None when there are no chunks. A block that stands there already, from an attempt that died or from another
        backend, is returned instead: it never changes.
        """
        chunks = self._next_chunks(run_id, file, series, fold.upto, upto)
        if not chunks:
            return None
        block = _block_document(run_id, file, series, fold, chunks)
        try:
            self._blocks.insert_one(block)
        except DuplicateKeyError:
            found = self._blocks.find_one({"_id": block["_id"]}, {"infos": 0})
            assert found is not None
            block = found
        return _rows(block, block["position"]), int(block["end"])

    def put_fold(self, run_id: str, file: str, series: str, fold: SeriesFold) -> bool:
        """Store a fold unless a newer one is there; False then."""
        fields = asdict(fold) | {"kept": fold.kept.tobytes(), "run_id": run_id, "file": file, "series": series}
        try:
            self._folds.update_one(
                {"_id": _key(run_id, file, series), "upto": {"$lt": fold.upto}}, {"$set": fields}, upsert=True
            )
        except DuplicateKeyError:
            return False
        return True

    def drop_covered(self, run_id: str, file: str, series: str, upto: int) -> None:
        """Delete the chunks that a stored fold covers."""
        self._chunks.delete_many({"run_id": run_id, "file": file, "series": series, "offset": {"$lt": upto}})

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        for collection in (self._chunks, self._blocks, self._folds):
            collection.delete_many({"run_id": run_id})

    def _next_chunks(self, run_id: str, file: str, series: str, start: int, end: int) -> list[dict[str, Any]]:
        query = {"run_id": run_id, "file": file, "series": series, "offset": {"$gte": start, "$lt": end}}
        chunks: list[dict[str, Any]] = []
        points = size = 0
        with self._chunks.find(query).sort("offset", ASCENDING) as found:
            for chunk in found:
                points += chunk["count"]
                size += sum(len(info["json"]) * 4 for info in chunk["infos"])
                if chunks and (points > BLOCK_POINTS or size > BLOCK_BYTES):
                    break
                chunks.append(chunk)
        return chunks


def _key(run_id: str, file: str, series: str) -> str:
    return f"{run_id}:{file}:{series}"


_FOLD_NUMBERS = (
    *("capacity", "width", "count", "finite_count", "mean", "squares"),
    *("iters_grow", "epochs_grow", "upto"),
)


def _chunk_document(run_id: str, file: str, offset: int, series: str, points: Points) -> dict[str, Any]:
    return {
        "_id": f"{run_id}:{file}:{offset}:{series}",
        "run_id": run_id,
        "series": series,
        "file": file,
        "offset": offset,
        "count": len(points.values),
        "values": np.asarray(points.values, "<f8").tobytes(),
        "times": np.asarray(points.times, "<f8").tobytes(),
        "epochs": _packed_integers(np.asarray(points.epochs, "<i8")),
        "iters": _packed_integers(np.asarray(points.iters, "<i8")),
        "infos": [{"position": position, "json": text} for position, text in points.infos.items()],
    }


def _block_document(
    run_id: str, file: str, series: str, fold: SeriesFold, chunks: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    rows = np.concatenate([_rows(chunk, 0) for chunk in chunks])
    starts = np.cumsum([0, *(chunk["count"] for chunk in chunks)]).tolist()
    return {
        "_id": f"{run_id}:{file}:{fold.upto}:{series}",
        "run_id": run_id,
        "series": series,
        "file": file,
        "end": chunks[-1]["offset"] + 1,
        "count": len(rows),
        "position": fold.count,
        "last_position": fold.count + len(rows) - 1,
        **{f"{axis}_min": int(rows[axis].min()) for axis in ("epoch", "iter")},
        **{f"{axis}_max": int(rows[axis].max()) for axis in ("epoch", "iter")},
        "values": rows["value"].tobytes(),
        "times": rows["time"].tobytes(),
        "epochs": _packed_integers(rows["epoch"]),
        "iters": _packed_integers(rows["iter"]),
        "infos": [
            {**info, "position": start + info["position"]}
            for start, chunk in zip(starts, chunks, strict=False)
            for info in chunk["infos"]
        ],
    }


def _rows(document: dict[str, Any], position: int) -> Rows:
    count = document["count"]
    rows = np.zeros(count, ROW)
    rows["pos"] = np.arange(position, position + count)
    for packed, column in _COLUMNS.items():
        content: bytes = document[packed]
        kind = "<f8" if packed in ("values", "times") else f"<i{len(content) // count}"
        rows[column] = np.frombuffer(content, kind)
    return rows


def _packed_integers(numbers: npt.NDArray[np.int64]) -> bytes:
    fits = INT32.min <= int(numbers.min()) and int(numbers.max()) <= INT32.max
    return numbers.astype("<i4" if fits else "<i8").tobytes()
