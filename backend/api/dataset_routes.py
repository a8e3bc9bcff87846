"""/api/datasets: list, import, browse, freeze, delete."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from backend.api.dependencies import DatasetsOf, SettingsOf
from backend.api.uploads import sent_file
from backend.contracts.datasets import (
    Dataset,
    DatasetVersion,
    DatasetVersionCreate,
    DemoImport,
    FolderImport,
    ItemPage,
    Split,
)

router = APIRouter(prefix="/datasets", tags=["datasets"])


@router.get("")
def list_datasets(datasets: DatasetsOf) -> list[Dataset]:
    """All datasets, newest first."""
    return datasets.datasets()


@router.post("/import")
async def import_archive(
    request: Request, name: str, datasets: DatasetsOf, settings: SettingsOf, upload: str | None = None
) -> Dataset:
    """Import a zip of a YOLO folder, sent as the raw body or before, as an upload."""
    async with sent_file(request, upload, "dataset", settings.archive_max_mb << 20) as archive:
        return await run_in_threadpool(datasets.import_archive, name, archive)


@router.post("/import-folder")
def import_folder(body: FolderImport, datasets: DatasetsOf) -> Dataset:
    """Import a YOLO folder that the backend can read."""
    return datasets.import_folder(body.name, Path(body.path).expanduser())


@router.post("/import-demo")
def import_demo(body: DemoImport, datasets: DatasetsOf) -> Dataset:
    """Generate and import synthetic welds."""
    return datasets.import_demo(body.name, body.images, body.seed)


@router.get("/{dataset_id}")
def get_dataset(dataset_id: str, datasets: DatasetsOf) -> Dataset:
    """One dataset."""
    return datasets.dataset(dataset_id)


@router.delete("/{dataset_id}", status_code=204)
def delete_dataset(dataset_id: str, datasets: DatasetsOf) -> None:
    """Delete a dataset that no run names."""
    datasets.delete(dataset_id)


@router.get("/{dataset_id}/items")
def list_items(
    dataset_id: str,
    datasets: DatasetsOf,
    split: Split | None = None,
    class_name: str | None = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
) -> ItemPage:
    """Items ordered by split and name."""
    return datasets.items(dataset_id, split, class_name, offset, limit)


@router.get("/{dataset_id}/versions")
def list_versions(dataset_id: str, datasets: DatasetsOf) -> list[DatasetVersion]:
    """All versions, newest first."""
    return datasets.versions(dataset_id)


@router.post("/{dataset_id}/versions")
def freeze(dataset_id: str, body: DatasetVersionCreate, datasets: DatasetsOf) -> DatasetVersion:
    """Freeze the present state."""
    return datasets.freeze(dataset_id, body.note)
