"""Imports YOLO datasets: everything is checked, and a dataset appears whole or not at all."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.contracts.base import Problem
from backend.contracts.datasets import DatasetItem
from backend.domain.errors import ArmError, ConflictError, InvalidInputError, UnavailableError
from backend.domain.problem_list import MAX_KEPT, ProblemList
from backend.domain.yolo_format import class_names, parse_labels
from backend.domain.yolo_layout import ImageFile, YoloLayout, layout_of
from backend.services.archive_reader import FileTree
from backend.services.dataset_versions import DatasetVersions
from backend.services.image_reader import checked_image
from backend.services.near_duplicates import NearDuplicateFinder
from backend.stores.mongo.dataset_store import DatasetRecord, DatasetStore
from backend.stores.mongo.dataset_version_store import DatasetVersionStore
from backend.stores.mongo.item_store import ItemStore
from backend.stores.object_store import ObjectStore

CLASS_FILE_BYTES = 1 << 20
LABEL_BYTES = 16 << 20
IMAGE_BYTES = 512 << 20
BATCH = 250
TOUCH_EVERY = timedelta(seconds=10)
ABANDONED_AFTER = timedelta(minutes=2)
MAX_WARNINGS = 50


@dataclass(frozen=True)
class ImportSettings:
    """Largest image in megapixels, and how many images are decoded at a time."""

    image_max_megapixels: int
    workers: int


@dataclass
class _Outcome:
    """What became of one image: an item, or problems."""

    item: DatasetItem | None
    problems: list[Problem]
    thumbnail: bytes = b""


class DatasetImporter:
    """Reads a tree of files into items. Images are stored by content, so a refused import shows nothing."""

    def __init__(
        self,
        datasets: DatasetStore,
        items: ItemStore,
        version_store: DatasetVersionStore,
        versions: DatasetVersions,
        finder: NearDuplicateFinder,
        objects: ObjectStore,
        settings: ImportSettings,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._datasets = datasets
        self._items = items
        self._version_store = version_store
        self._versions = versions
        self._finder = finder
        self._objects = objects
        self._settings = settings
        self._new_id = new_id
        self._now = now

    def import_tree(self, name: str, tree: FileTree, description: str = "") -> str:
        """Import and return the new dataset's id; its version 1 is frozen.

        Raises InvalidInputError('dataset_invalid') with every fault found (the first 200 are listed, `count` is all).
        """
        faults = ProblemList()
        layout = layout_of(tree.paths)
        faults.extend(layout.problems)
        classes = _classes(tree, layout, faults)
        dataset_id = self._new_id()
        self._datasets.begin_import(dataset_id, self._now())
        try:
            self._import_images(dataset_id, tree, layout.images, classes, faults)
            if faults.count or classes is None:
                raise InvalidInputError("dataset_invalid", faults.kept, count=faults.count)
            version = self._versions.freeze(dataset_id, classes)
            self._datasets.touch_import(dataset_id, self._now())
            warnings = [*self._finder.warnings(dataset_id), *layout.warnings]
            record = DatasetRecord(
                id=dataset_id,
                name=name,
                description=description,
                classes=classes,
                splits=version.splits,
                created_at=self._now(),
                warnings=tuple(warnings[:MAX_WARNINGS]),
                is_copy_checked=True,
            )
            if not self._datasets.publish(record):
                raise ConflictError("import_given_up")
        except BaseException:
            self.discard(dataset_id)
            raise
        return dataset_id

    def discard_leftovers(self) -> None:
        """Remove what imports left behind whose process was killed."""
        for dataset_id in self._datasets.leftovers(self._now() - ABANDONED_AFTER):
            self.discard(dataset_id)

    def discard(self, dataset_id: str) -> None:
        """Remove a dataset that nobody sees: its items, its versions, then itself. Its images stay."""
        self._items.remove_dataset(dataset_id)
        self._version_store.remove_dataset(dataset_id)
        self._datasets.remove(dataset_id)

    def _import_images(
        self,
        dataset_id: str,
        tree: FileTree,
        images: list[ImageFile],
        classes: tuple[str, ...] | None,
        faults: ProblemList,
    ) -> None:
        batch: list[DatasetItem] = []
        thumbnails: dict[str, bytes] = {}
        touched = self._now()

        def check(image: ImageFile) -> _Outcome:
            return self._check_image(dataset_id, tree, image, classes, keep=not faults.count)

        for outcome in _in_order(check, images, self._settings.workers):
            faults.extend(outcome.problems)
            if self._now() - touched > TOUCH_EVERY:
                touched = self._now()
                self._datasets.touch_import(dataset_id, touched)
            if outcome.item is None or faults.count:
                continue
            batch.append(outcome.item)
            thumbnails[outcome.item.id] = outcome.thumbnail
            if len(batch) == BATCH:
                self._items.insert_imported(batch, thumbnails)
                batch, thumbnails = [], {}
        if batch and not faults.count:
            self._items.insert_imported(batch, thumbnails)

    def _check_image(
        self, dataset_id: str, tree: FileTree, image: ImageFile, classes: tuple[str, ...] | None, keep: bool
    ) -> _Outcome:
        try:
            content = tree.read(image.path, IMAGE_BYTES)
            checked = checked_image(content, self._settings.image_max_megapixels)
        except UnavailableError:
            raise
        except ArmError as error:
            return _Outcome(None, [Problem(code=error.code, file=image.path, params=error.params)])
        rows = b""
        if image.label_path is not None:
            try:
                rows = tree.read(image.label_path, LABEL_BYTES)
            except UnavailableError:
                raise
            except ArmError as error:
                return _Outcome(None, [Problem(code=error.code, file=image.label_path, params=error.params)])
        markup, problems = parse_labels(rows, image.label_path or "", classes, checked.size)
        if problems or not keep:
            return _Outcome(None, problems[: MAX_KEPT + 1])
        item = DatasetItem(
            id=self._new_id(),
            dataset_id=dataset_id,
            split=image.split,
            name=image.name,
            image=self._objects.put_bytes(content),
            width=checked.size.width,
            height=checked.size.height,
            size_bytes=len(content),
            revision=1,
            markup=markup,
            updated_at=self._now(),
        )
        return _Outcome(item, [], checked.thumbnail)


def _classes(tree: FileTree, layout: YoloLayout, faults: ProblemList) -> tuple[str, ...] | None:
    if layout.class_file is None:
        faults.add(Problem(code="classes_missing"))
        return None
    try:
        return class_names(tree.read(layout.class_file, CLASS_FILE_BYTES), layout.class_file)
    except UnavailableError:
        raise
    except ArmError as error:
        faults.extend(error.problems or [Problem(code=error.code, file=layout.class_file, params=error.params)])
        return None


def _in_order(check: Callable[[ImageFile], _Outcome], images: list[ImageFile], workers: int) -> Iterator[_Outcome]:
    """Results in the order of `images`; only a few images are in memory at a time."""
    with ThreadPoolExecutor(workers, thread_name_prefix="import") as pool:
        waiting: deque[Future[_Outcome]] = deque()
        try:
            for image in images:
                waiting.append(pool.submit(check, image))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
