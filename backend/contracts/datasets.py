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
    `is_copy_checked` says that near copies were looked for; what was found is among the warnings.
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
    is_copy_checked: bool = False


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


class NearCopy(Contract):
    """One image of a pair of near copies: its item, and where it lies."""

    item_id: str
    name: str
    split: Split
    image: str


class NearDuplicate(Contract):
    """Two images that are near copies.

    `distance` is the number of bits (of 64) in which their perceptual hashes differ, `likeness` the correlation of
    their thumbnails laid over one another.
    """

    left: NearCopy
    right: NearCopy
    distance: int
    likeness: float


class NearDuplicates(Contract):
    """Near copies within a dataset.

    `leaked` counts, for val and test, the images that have a near copy in another split. `pairs` are the first of
    `pair_count`, those across splits and the most alike first; within a group only as many are known as prove it.
    `groups` are item ids of the images that are copies of one another. `is_checked` is False when the dataset has more
    images than are compared, `is_complete` when so many look alike that not all were compared.
    """

    is_checked: bool
    is_complete: bool
    image_count: int
    max_images: int
    leaked: dict[Split, int]
    pair_count: int
    pairs: tuple[NearDuplicate, ...]
    groups: tuple[tuple[str, ...], ...]


class GroupedSplitCreate(Contract):
    """Make a new dataset in which near copies lie in one split. Without a name it is named after the old one."""

    name: str = ""


class SampleEntry(Contract):
    """One element of a sample as an agent receives it: enough to write the image and its markup into the run folder."""

    item_id: str
    name: str
    image: str
    width: int
    height: int
    markup: Markup
