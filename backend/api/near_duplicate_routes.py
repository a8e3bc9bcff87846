"""/api/datasets/{id}/near-duplicates and grouped-split: copies of images across splits, and a split without them."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.api.dependencies import DatasetsOf, RegroupingOf
from backend.contracts.datasets import Dataset, GroupedSplitCreate, NearDuplicates

router = APIRouter(prefix="/datasets", tags=["datasets"])


@router.get("/{dataset_id}/near-duplicates")
def list_near_duplicates(
    dataset_id: str, regrouping: RegroupingOf, limit: Annotated[int, Query(ge=0, le=10_000)] = 100
) -> NearDuplicates:
    """Near copies within a dataset; looked for now if they never were."""
    return regrouping.near_duplicates(dataset_id, limit)


@router.post("/{dataset_id}/grouped-split")
def create_grouped_split(
    dataset_id: str, body: GroupedSplitCreate, regrouping: RegroupingOf, datasets: DatasetsOf
) -> Dataset:
    """A new dataset in which near copies lie in one split."""
    return datasets.dataset(regrouping.grouped_split(dataset_id, body.name))
