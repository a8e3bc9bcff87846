"""Everything a user can ask about datasets: import, browse, correct markup, freeze, delete."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from backend.contracts.datasets import (
    Dataset,
    DatasetItem,
    DatasetVersion,
    ItemPage,
    ItemRevision,
    MarkupUpdate,
    SampleEntry,
    Split,
    SplitCounts,
)
from backend.domain.archive_rules import SYSTEM_NOISE, ArchiveLimits
from backend.domain.errors import ConflictError, InvalidInputError
from backend.domain.markup_rules import check_markup
from backend.domain.names import checked_name
from backend.domain.yolo_layout import MEANINGFUL_FOLDERS
from backend.services.archive_reader import open_zip
from backend.services.dataset_import import DatasetImporter
from backend.services.dataset_versions import DatasetVersions
from backend.services.folder_reader import FolderTree
from backend.stores.mongo.dataset_store import DatasetRecord, DatasetStore
from backend.stores.mongo.dataset_version_store import DatasetVersionStore, VersionRecord
from backend.stores.mongo.item_store import Edits, ItemStore

DEMO_MAX_IMAGES = 2000
SOURCE_MAX_LENGTH = 100


class DatasetRuns(Protocol):
    """What is asked of runs when a dataset is deleted."""

    def unfinished_of_dataset(self, dataset_id: str) -> list[int]:
        """Numbers of the runs that still need it."""
        ...

    def note_deleted_dataset(self, dataset_id: str, name: str) -> None:
        """Let the others keep its name."""
        ...


class DatasetService:
    """Datasets, their items and versions."""

    def __init__(
        self,
        datasets: DatasetStore,
        items: ItemStore,
        version_store: DatasetVersionStore,
        versions: DatasetVersions,
        importer: DatasetImporter,
        limits: ArchiveLimits,
        scratch_dir: Path,
        generate_demo: Callable[[Path, int, int], None],
        runs: "DatasetRuns",
        release: Callable[[Iterable[str]], None],
        now: Callable[[], datetime],
    ) -> None:
        self._datasets = datasets
        self._items = items
        self._version_store = version_store
        self._versions = versions
        self._importer = importer
        self._limits = limits
        self._scratch_dir = scratch_dir
        self._generate_demo = generate_demo
        self._runs = runs
        self._release = release
        self._now = now

    def datasets(self) -> list[Dataset]:
        """All datasets, newest first."""
        records = self._datasets.records()
        ids = [record.id for record in records]
        edits, newest = self._items.edits(ids), self._version_store.newest_of(ids)
        return [_joined(record, edits[record.id], newest.get(record.id)) for record in records]

    def dataset(self, dataset_id: str) -> Dataset:
        """One dataset. Raises NotFoundError."""
        record = self._datasets.get(dataset_id)
        return _joined(record, self._items.edits([dataset_id])[dataset_id], self._version_store.newest(dataset_id))

    def classes(self, dataset_id: str) -> tuple[str, ...]:
        """Class names; a class's index is its id. Raises NotFoundError."""
        return self._datasets.get(dataset_id).classes

    def import_archive(self, name: str, archive: Path) -> Dataset:
        """Import a zip of a YOLO folder. Raises InvalidInputError or TooLargeError; then nothing was imported."""
        name = checked_name(name)
        with open_zip(archive, self._limits, SYSTEM_NOISE, MEANINGFUL_FOLDERS) as tree:
            return self.dataset(self._importer.import_tree(name, tree))

    def import_folder(self, name: str, folder: Path) -> Dataset:
        """Import a YOLO folder on the backend's disk. Raises as import_archive does."""
        name = checked_name(name)
        return self.dataset(self._importer.import_tree(name, FolderTree(folder, self._limits.max_files)))

    def import_demo(self, name: str, images: int, seed: int) -> Dataset:
        """Generate `images` synthetic weld photographs (3..2000, all splits together) and import them."""
        name = checked_name(name)
        if not 3 <= images <= DEMO_MAX_IMAGES:
            raise InvalidInputError("demo_image_count", count=images, limit=DEMO_MAX_IMAGES)
        with tempfile.TemporaryDirectory(prefix="demo-", dir=self._scratch_dir) as folder:
            self._generate_demo(Path(folder), images, seed)
            return self.dataset(self._importer.import_tree(name, FolderTree(Path(folder), self._limits.max_files)))

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset with its items, versions, and the images that nothing else names (docs/decisions/0030).

        Runs that have ended keep its name and their results, and can no longer be repeated. Raises NotFoundError, or
        ConflictError('dataset_in_use') with the numbers of the runs that still need it.
        """
        name = self._datasets.get(dataset_id).name
        # Hidden first, asked second: a run that is being created now can no longer find the dataset.
        self._datasets.hide(dataset_id)
        self._finish_deletion(dataset_id, name)

    def items(self, dataset_id: str, split: Split | None, class_name: str | None, offset: int, limit: int) -> ItemPage:
        """A page of items ordered by split and name. Raises NotFoundError."""
        self._datasets.get(dataset_id)
        items, total = self._items.page(dataset_id, split, class_name, offset, limit)
        return ItemPage(items=tuple(items), total=total)

    def item(self, item_id: str) -> DatasetItem:
        """One item. Raises NotFoundError."""
        item = self._items.get(item_id)
        self._datasets.get(item.dataset_id)
        return item

    def revisions(self, item_id: str) -> list[ItemRevision]:
        """Every saved markup of an item, oldest first. Raises NotFoundError."""
        return self._items.revisions(self.item(item_id).id)

    def save_markup(self, item_id: str, update: MarkupUpdate) -> DatasetItem:
        """Save markup as the item's next revision.

        Raises InvalidInputError('markup_invalid'), or ConflictError('markup_outdated') when the item is no longer at
        the revision that the user saw.
        """
        item = self.item(item_id)
        if update.base_revision != item.revision:
            raise ConflictError("markup_outdated", base=update.base_revision, current=item.revision)
        check_markup(update.markup, self.classes(item.dataset_id), item.width, item.height)
        source = checked_name(update.source)[:SOURCE_MAX_LENGTH]
        return self._items.save_markup(item, update.markup, source, self._now())

    def versions(self, dataset_id: str) -> list[DatasetVersion]:
        """All versions, newest first. Raises NotFoundError."""
        self._datasets.get(dataset_id)
        return self._version_store.versions(dataset_id)

    def version(self, dataset_id: str, number: int) -> DatasetVersion:
        """One version. Raises NotFoundError."""
        self._datasets.get(dataset_id)
        return self._version_store.get(dataset_id, number)

    def freeze(self, dataset_id: str, note: str = "") -> DatasetVersion:
        """A version of the present state; the newest one when nothing changed since. Raises NotFoundError."""
        return self._versions.freeze(dataset_id, self.classes(dataset_id), note)

    def sample_entries(self, dataset_id: str, version: int, split: Split) -> Iterator[SampleEntry]:
        """Elements of one split of a version, in order, with the markup of then. Raises NotFoundError at once."""
        return self._versions.entries(self.version(dataset_id, version), split)

    def clean_up(self) -> None:
        """Remove what killed imports and deletions left; called when the backend starts."""
        self._importer.discard_leftovers()
        for dataset_id in self._datasets.hidden():
            with contextlib.suppress(ConflictError):
                self._finish_deletion(dataset_id, self._datasets.hidden_name(dataset_id))

    def _finish_deletion(self, dataset_id: str, name: str) -> None:
        try:
            if unfinished := self._runs.unfinished_of_dataset(dataset_id):
                raise ConflictError("dataset_in_use", id=dataset_id, runs=", ".join(map(str, unfinished)))
        except BaseException:
            self._datasets.show_again(dataset_id)
            raise
        self._runs.note_deleted_dataset(dataset_id, name)
        images = list(self._items.images(dataset_id))
        self._importer.discard(dataset_id)
        self._release(images)


def _joined(record: DatasetRecord, edits: Edits, newest: VersionRecord | None) -> Dataset:
    """Counts are those of the import plus what the edits changed; edits only ever grow, so comparing them is exact."""
    splits = {
        split: SplitCounts(images=counts.images, boxes=counts.boxes + edits.box_deltas.get(split, 0))
        for split, counts in record.splits.items()
    }
    return Dataset(
        id=record.id,
        name=record.name,
        description=record.description,
        classes=record.classes,
        splits=splits,
        latest_version=0 if newest is None else newest.version.number,
        is_changed=newest is None or newest.edit_count != edits.count,
        created_at=record.created_at,
        warnings=record.warnings,
        is_copy_checked=record.is_copy_checked,
    )
