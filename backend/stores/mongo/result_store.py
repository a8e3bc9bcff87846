"""Predicted markup per image of a run, joined with the truth that the image had in the run's frozen dataset version."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from backend.contracts.datasets import SampleEntry
from backend.contracts.markup import Markup
from backend.contracts.reports import Result, ResultPage
from backend.domain.event_lines import TimedResult
from backend.stores.mongo.driver_errors import translates_driver_errors
from backend.stores.mongo.latest_wins import write_latest


@dataclass(frozen=True)
class KnownImage:
    """The element of the run's sample that a result is about."""

    dataset_id: str
    entry: SampleEntry


@translates_driver_errors
class ResultStore:
    """One document per image; the result that was saved last stays. Markup is kept as JSON text, as it came."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._results = database["results"]

    def put(self, run_id: str, results: Iterable[tuple[TimedResult, KnownImage | None]]) -> None:
        """Store results with what is known of their images."""
        write_latest(self._results, [_update(run_id, result, known) for result, known in results])

    def page(self, run_id: str, class_name: str | None, offset: int, limit: int) -> ResultPage:
        """Results ordered by image name; with `class_name` only images on which it was predicted or is true."""
        query: dict[str, Any] = {"run_id": run_id}
        if class_name is not None:
            query["classes"] = class_name
        found = self._results.find(query).sort("name", ASCENDING).skip(offset).limit(limit)
        return ResultPage(
            results=tuple(_from_document(document, offset + i) for i, document in enumerate(found)),
            total=self._results.count_documents(query),
            classes=tuple(sorted(name for name in self._results.distinct("classes", {"run_id": run_id}) if name)),
        )

    def images(self, run_id: str) -> Iterator[str]:
        """Hashes of the images that results of a run show."""
        for document in self._results.find({"run_id": run_id, "image": {"$ne": None}}, {"image": 1}):
            yield document["image"]

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        self._results.delete_many({"run_id": run_id})


def _update(run_id: str, result: TimedResult, known: KnownImage | None) -> UpdateOne:
    truth = known.entry.markup if known else None
    document = {
        "run_id": run_id,
        "name": result.image,
        "description": result.description,
        "time": result.time,
        "prediction": _json(result.markup),
        "truth": None if truth is None else _json(truth),
        "classes": sorted({a.class_name for markup in (result.markup, truth) if markup for a in markup.annotation}),
        "item_id": known.entry.item_id if known else None,
        "dataset_id": known.dataset_id if known else None,
        "image": known.entry.image if known else None,
        "width": known.entry.width if known else None,
        "height": known.entry.height if known else None,
    }
    return UpdateOne(
        {"_id": f"{run_id}:{result.image}", "time": {"$lte": result.time}}, {"$set": document}, upsert=True
    )


def _json(markup: Markup) -> str:
    return markup.model_dump_json(by_alias=True, exclude_none=True)


def _from_document(document: dict[str, Any], index: int) -> Result:
    return Result(
        index=index,
        prediction=Markup.model_validate_json(document["prediction"]),
        truth=None if document["truth"] is None else Markup.model_validate_json(document["truth"]),
        **{name: document[name] for name in _PLAIN_FIELDS},
    )


_PLAIN_FIELDS = ("name", "description", "item_id", "dataset_id", "image", "width", "height")
