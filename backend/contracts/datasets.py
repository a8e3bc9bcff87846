"""Datasets: images stored by content hash, their markup with revisions, and immutable versions that runs refer to."""

from datetime import datetime
from typing import Literal

from backend.contracts.base import Contract, Problem
from backend.contracts.markup import Markup

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class SplitCounts(Contract):
    """How many images and boxes a split holds."""

    images: int = 0
    boxes: int = 0


class Dataset(Contract):
    """A dataset as it is listed.

    `latest_version` is the newest frozen version; `is_changed` says that markup was edited since.
    """

    id: str
    name: str
    description: str = ""
    classes: tuple[str, ...]
    splits: dict[Split, SplitCounts]
    latest_version: int
    is_changed: bool = False
    created_at: datetime
    warnings: tuple[Problem, ...] = ()


class DatasetItem(Contract):
    """One image of a dataset: `image` is its file's sha256, `revision` counts saved states of the markup from 1."""

    id: str
    dataset_id: str
    split: Split
    name: str
    image: str
    width: int
    height: int
    size_bytes: int
    revision: int
    markup: Markup
    updated_at: datetime


class ItemPage(Contract):
    """A slice of a dataset's items, ordered by split and name; `total` counts everything that matches the filter."""

    items: tuple[DatasetItem, ...]
    total: int


class ItemRevision(Contract):
    """One saved state of an item's markup.

    `source` says where it came from: `import`, `edit`, or `run:<id>` when that run's prediction was corrected.
    """

    item_id: str
    revision: int
    markup: Markup
    source: str
    created_at: datetime


class MarkupUpdate(Contract):
    """Save new markup for an item. `base_revision` must be the revision the user saw, otherwise the save is refused."""

    base_revision: int
    markup: Markup
    source: str = "edit"


class DatasetVersion(Contract):
    """An immutable state of a whole dataset; `manifest` is the sha256 of the list of (item, revision, split, image)."""

    dataset_id: str
    number: int
    manifest: str
    splits: dict[Split, SplitCounts]
    note: str = ""
    created_at: datetime


class DatasetVersionCreate(Contract):
    """Freeze the current state of a dataset. If nothing changed since the newest version, that version is returned."""

    note: str = ""


class FolderImport(Contract):
    """Import a YOLO folder that the backend can read itself."""

    path: str
    name: str


class DemoImport(Contract):
    """Generate and import the synthetic weld dataset. `images` is the total over the three splits."""

    name: str = "Demo welds"
    images: int = 120
    seed: int = 7


class SampleEntry(Contract):
    """One element of a sample as an agent receives it: enough to write the image and its markup into the run folder."""

    item_id: str
    name: str
    image: str
    width: int
    height: int
    markup: Markup
