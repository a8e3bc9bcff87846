"""Makes a new dataset out of one in which near copies lie in several splits: each group of them in one split."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import PurePosixPath

from backend.contracts.datasets import SPLITS, DatasetItem, NearDuplicates, Split
from backend.domain.errors import ConflictError, InvalidInputError
from backend.domain.grouped_split import grouped_split
from backend.domain.names import MAX_LENGTH, checked_name
from backend.services.dataset_versions import DatasetVersions
from backend.services.near_duplicates import FoundCopies, NearDuplicateFinder
from backend.stores.mongo.dataset_store import DatasetRecord, DatasetStore
from backend.stores.mongo.item_store import ItemStore

BATCH = 250
OWN_WARNINGS = ("near_duplicates", "near_duplicates_incomplete", "near_duplicates_unchecked", "split_missing")


class DatasetRegrouping:
    """What a user can ask about near copies. The old dataset is only read."""

    def __init__(
        self,
        datasets: DatasetStore,
        items: ItemStore,
        discard_import: Callable[[str], None],
        versions: DatasetVersions,
        finder: NearDuplicateFinder,
        release: Callable[[Iterable[str]], None],
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._datasets = datasets
        self._items = items
        self._discard_import = discard_import
        self._versions = versions
        self._finder = finder
        self._release = release
        self._new_id = new_id
        self._now = now

    def near_duplicates(self, dataset_id: str, limit: int) -> NearDuplicates:
        """Near copies within a dataset; one that was never looked through gets its warning. Raises NotFoundError."""
        record = self._datasets.get(dataset_id)
        report = self._finder.report(dataset_id, limit)
        if not record.is_copy_checked:
            self._datasets.note_copies(dataset_id, self._finder.warnings(dataset_id))
        return report

    def grouped_split(self, dataset_id: str, name: str = "") -> str:
        """A new dataset of the same images and their present markup; returns its id.

        Raises NotFoundError, InvalidInputError('split_impossible', 'near_duplicates_unchecked'), or
        ConflictError('split_is_clean') when no near copies lie in several splits.
        """
        old = self._datasets.get(dataset_id)
        copies = self._finder.find(dataset_id)
        if copies is None:
            unchecked = self._finder.warnings(dataset_id)[0]
            raise InvalidInputError(unchecked.code, **unchecked.params)
        if not copies.across():
            raise ConflictError("split_is_clean", name=old.name)
        splits = _new_splits(copies)
        new = replace(
            old,
            id=self._new_id(),
            name=checked_name(name) if name.strip() else f"{old.name[: MAX_LENGTH - 10]} (grouped)",
            created_at=self._now(),
            warnings=tuple(one for one in old.warnings if one.code not in OWN_WARNINGS),
        )
        self._datasets.begin_import(new.id, new.created_at)
        try:
            self._make(old, new, splits)
        except BaseException:
            self._discard(new.id)
            raise
        return new.id

    def _make(self, old: DatasetRecord, new: DatasetRecord, splits: dict[str, Split]) -> None:
        taken: dict[Split, set[str]] = {split: set() for split in SPLITS}
        # An item that stays keeps its name; one that moves gives way.
        for item in chain.from_iterable(self._items.batches(old.id, BATCH)):
            if splits[item.id] == item.split:
                taken[item.split].add(item.name)
        for batch in self._items.batches(old.id, BATCH):
            moved = [self._moved(item, new.id, splits[item.id], taken) for item in batch]
            ids = {item.id: one.id for item, one in zip(batch, moved, strict=True)}
            kept = self._items.thumbnails(list(ids))
            self._items.insert_imported(moved, {ids[key]: thumbnail for key, thumbnail in kept.items()})
            self._datasets.touch_import(new.id, self._now())
        counts = self._versions.freeze(new.id, new.classes).splits
        warnings = (*self._finder.warnings(new.id), *new.warnings)
        # Still there after the new items named its images: so these were named by something all the time.
        self._datasets.get(old.id)
        if not self._datasets.publish(replace(new, splits=counts, warnings=warnings, is_copy_checked=True)):
            raise ConflictError("import_given_up")

    def _moved(self, item: DatasetItem, dataset_id: str, split: Split, taken: dict[Split, set[str]]) -> DatasetItem:
        name = item.name
        if split != item.split:
            name = _free_name(item.name, item.split, taken[split])
            taken[split].add(name)
        changes = {"id": self._new_id(), "dataset_id": dataset_id, "split": split, "name": name, "revision": 1}
        return item.model_copy(update={**changes, "updated_at": self._now()})

    def _discard(self, dataset_id: str) -> None:
        images = list(self._items.images(dataset_id))
        self._discard_import(dataset_id)
        # The old dataset may have gone meanwhile, and then nobody else lets them go.
        self._release(images)


def _new_splits(copies: FoundCopies) -> dict[str, Split]:
    """Item id → split."""
    looks = copies.looks
    old = [SPLITS.index(look.split) for look in looks]
    new = grouped_split(copies.found.groups, old, [look.image for look in looks])
    return {look.id: SPLITS[split] for look, split in zip(looks, new, strict=True)}


def _free_name(name: str, old_split: Split, taken: set[str]) -> str:
    """The name itself, else with its old split, else with a number too."""
    path = PurePosixPath(name)
    candidate, number = name, 1
    while candidate in taken:
        suffix = old_split if number == 1 else f"{old_split}-{number}"
        candidate = str(path.with_name(f"{path.stem}.{suffix}{path.suffix}"))
        number += 1
    return candidate
