"""Test metrics of runs: one document per name; the one that was saved last stays."""

import json
from collections.abc import Iterable
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from backend.contracts.reports import Metric
from backend.domain.event_lines import TimedMetric
from backend.stores.mongo.driver_errors import translates_driver_errors
from backend.stores.mongo.latest_wins import write_latest


@translates_driver_errors
class RunMetricStore:
    """`data` is kept as JSON text: a matrix as BSON would be eight times its size, and keys may hold any character."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._metrics = database["run_metrics"]

    def put(self, run_id: str, metrics: Iterable[TimedMetric]) -> None:
        """Store metrics; one that is older than what is there under its name is dropped."""
        write_latest(self._metrics, [_update(run_id, timed) for timed in metrics])

    def metrics(self, run_id: str) -> list[Metric]:
        """All metrics of a run in the order in which they first appeared."""
        return [_from_document(d) for d in self._metrics.find({"run_id": run_id}).sort("order", ASCENDING)]

    def remove_run(self, run_id: str) -> None:
        """Delete everything of a run."""
        self._metrics.delete_many({"run_id": run_id})


def _update(run_id: str, timed: TimedMetric) -> UpdateOne:
    metric = timed.metric
    document = {
        "run_id": run_id,
        "name": metric.name,
        "kind": metric.kind,
        "data": json.dumps(metric.data, ensure_ascii=False, separators=(",", ":")),
        "description": metric.description,
        "time": timed.time,
    }
    return UpdateOne(
        {"_id": f"{run_id}:{metric.name}", "time": {"$lte": timed.time}},
        {"$set": document, "$setOnInsert": {"order": timed.time}},
        upsert=True,
    )


def _from_document(document: dict[str, Any]) -> Metric:
    return Metric(
        name=document["name"],
        kind=document["kind"],
        data=json.loads(document["data"]),
        description=document["description"],
    )
