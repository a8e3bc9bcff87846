"""/api/items: one image, its markup and the markup's history."""

from fastapi import APIRouter

from backend.api.dependencies import DatasetsOf
from backend.contracts.datasets import DatasetItem, ItemRevision, MarkupUpdate

router = APIRouter(prefix="/items", tags=["datasets"])


@router.get("/{item_id}")
def get_item(item_id: str, datasets: DatasetsOf) -> DatasetItem:
    """One item."""
    return datasets.item(item_id)


@router.get("/{item_id}/revisions")
def list_revisions(item_id: str, datasets: DatasetsOf) -> list[ItemRevision]:
    """Every saved markup, oldest first."""
    return datasets.revisions(item_id)


@router.put("/{item_id}/markup")
def save_markup(item_id: str, body: MarkupUpdate, datasets: DatasetsOf) -> DatasetItem:
    """Save the next revision of the markup."""
    return datasets.save_markup(item_id, body)
