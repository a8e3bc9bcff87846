"""Every index of the database, in one list: a query without one of these is a mistake."""

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

INDEXES: dict[str, list[IndexModel]] = {
    "datasets": [IndexModel([("created_at", DESCENDING)])],
    "items": [
        IndexModel([("dataset_id", ASCENDING), ("split_order", ASCENDING), ("name", ASCENDING)], unique=True),
        IndexModel(
            [("dataset_id", ASCENDING), ("classes", ASCENDING), ("split_order", ASCENDING), ("name", ASCENDING)]
        ),
        # What was edited since the import, answered from the index alone.
        IndexModel(
            [
                ("dataset_id", ASCENDING),
                ("revision", ASCENDING),
                ("split_order", ASCENDING),
                ("box_count", ASCENDING),
                ("imported_box_count", ASCENDING),
            ]
        ),
        IndexModel([("image", ASCENDING)]),
    ],
    "item_revisions": [
        IndexModel([("item_id", ASCENDING), ("revision", ASCENDING)], unique=True),
        IndexModel([("dataset_id", ASCENDING)]),
    ],
    "dataset_versions": [IndexModel([("dataset_id", ASCENDING), ("number", DESCENDING)], unique=True)],
    "projects": [IndexModel([("updated_at", DESCENDING)])],
    "solutions": [
        IndexModel([("name", ASCENDING), ("version", DESCENDING)], unique=True),
        IndexModel([("created_at", DESCENDING)]),
    ],
    "runs": [
        # The order of claims; its first field also answers what is queued or active.
        IndexModel([("state", ASCENDING), ("priority", DESCENDING), ("queue_rank", ASCENDING), ("number", ASCENDING)]),
        IndexModel([("project_id", ASCENDING), ("kind", ASCENDING), ("number", DESCENDING)]),
        IndexModel([("project_id", ASCENDING), ("number", DESCENDING)]),
        IndexModel([("number", DESCENDING)], unique=True),
        IndexModel([("samples.dataset_id", ASCENDING)]),
        IndexModel([("token_sha256", ASCENDING)], sparse=True),
        IndexModel([("weights.sha256", ASCENDING)], sparse=True),
    ],
    # What is still in small chunks is read by offset and counted by series, the latter from the index alone.
    "run_points": [
        IndexModel(
            [
                ("run_id", ASCENDING),
                ("file", ASCENDING),
                ("offset", ASCENDING),
                ("series", ASCENDING),
                ("count", ASCENDING),
            ]
        )
    ],
    # The last four let a range of steps be found without touching blocks outside it.
    "run_point_blocks": [
        IndexModel(
            [
                ("run_id", ASCENDING),
                ("file", ASCENDING),
                ("series", ASCENDING),
                ("position", ASCENDING),
                ("last_position", ASCENDING),
                ("iter_min", ASCENDING),
                ("iter_max", ASCENDING),
                ("epoch_min", ASCENDING),
                ("epoch_max", ASCENDING),
            ]
        )
    ],
    "run_series": [
        IndexModel([("run_id", ASCENDING), ("file", ASCENDING), ("series", ASCENDING), ("upto", ASCENDING)])
    ],
    "run_messages": [IndexModel([("run_id", ASCENDING), ("level", ASCENDING), ("time", DESCENDING)])],
    "run_metrics": [IndexModel([("run_id", ASCENDING), ("order", ASCENDING)])],
    "results": [
        IndexModel([("run_id", ASCENDING), ("name", ASCENDING)], unique=True),
        IndexModel([("run_id", ASCENDING), ("classes", ASCENDING), ("name", ASCENDING)]),
        # This one, like those of items, artifacts and weights: does anything still name an object?
        IndexModel([("image", ASCENDING)]),
    ],
    "artifacts": [
        IndexModel([("run_id", ASCENDING), ("path", ASCENDING)], unique=True),
        IndexModel([("sha256", ASCENDING)]),
    ],
    "deleted_runs": [IndexModel([("is_cleared", ASCENDING)])],
    "pipeline_versions": [
        IndexModel([("project_id", ASCENDING), ("path", ASCENDING), ("number", DESCENDING)], unique=True),
        IndexModel([("sha256", ASCENDING)]),
    ],
    "run_cursors": [IndexModel([("run_id", ASCENDING)])],
    "project_documents": [
        IndexModel([("project_id", ASCENDING), ("collection", ASCENDING), ("document_id", ASCENDING)], unique=True)
    ],
    "project_files": [
        IndexModel([("project_id", ASCENDING), ("name", ASCENDING)], unique=True),
        IndexModel([("project_id", ASCENDING), ("sha256", ASCENDING)]),
    ],
}


def ensure_indexes(database: Database[dict[str, object]]) -> None:
    """Create what is missing; existing indexes are left alone."""
    for collection, indexes in INDEXES.items():
        database[collection].create_indexes(indexes)
