"""Finds near copies of images within a dataset, above all those that lie in several splits."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from backend.contracts.base import Problem
from backend.contracts.datasets import SPLITS, NearCopy, NearDuplicate, NearDuplicates, Split
from backend.domain.errors import ArmError, UnavailableError
from backend.domain.near_copies import NearCopies, NearPair, find_near_copies
from backend.services.image_reader import grey_thumbnail
from backend.stores.mongo.item_store import ItemLook, ItemStore
from backend.stores.object_store import ObjectStore

MAX_IMAGES = 50_000
BATCH = 250
REMEMBERED = 8
EXAMPLES_IN_WARNING = 3


@dataclass(frozen=True)
class FoundCopies:
    """What was found among the items of a dataset: positions in `found` are those in `looks`."""

    looks: tuple[ItemLook, ...]
    found: NearCopies

    def across(self) -> list[NearPair]:
        """Pairs that lie in two splits, the most alike first."""
        pairs = [one for one in self.found.pairs if self.looks[one.left].split != self.looks[one.right].split]
        return sorted(pairs, key=_most_alike)

    def leaked(self) -> dict[Split, int]:
        """How many images of val and test have a near copy in another split."""
        positions = {position for one in self.across() for position in (one.left, one.right)}
        return {split: sum(self.looks[one].split == split for one in positions) for split in ("val", "test")}

    def groups(self) -> list[tuple[str, ...]]:
        """Ids of the items that are copies of one another, where there are at least two; the largest groups first."""
        members: dict[int, list[str]] = defaultdict(list)
        for look, group in zip(self.looks, self.found.groups, strict=True):
            members[group].append(look.id)
        return sorted((tuple(ids) for ids in members.values() if len(ids) > 1), key=len, reverse=True)


class NearDuplicateFinder:
    """Images of a dataset never change, so what was found for the last few datasets is remembered."""

    def __init__(self, items: ItemStore, objects: ObjectStore) -> None:
        self._items = items
        self._objects = objects
        self._known: OrderedDict[str, FoundCopies] = OrderedDict()
        self._guard = threading.Lock()
        self._searches: dict[str, threading.Lock] = {}

    def find(self, dataset_id: str) -> FoundCopies | None:
        """What a dataset holds twice; None when it has more images than are compared. Takes seconds the first time."""
        if self._items.count(dataset_id) > MAX_IMAGES:
            return None
        with self._one_search_each(dataset_id):
            if (known := self._known.get(dataset_id)) is not None:
                return known
            found = self._search(dataset_id, only_across=False)
            with self._guard:
                self._known[dataset_id] = found
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            return found

    def warnings(self, dataset_id: str) -> list[Problem]:
        """What an import should say about near copies in several splits."""
        copies = self._known.get(dataset_id)
        if copies is None and self._items.count(dataset_id) <= MAX_IMAGES:
            copies = self._search(dataset_id, only_across=True)
        if copies is None:
            limits = {"count": self._items.count(dataset_id), "limit": MAX_IMAGES}
            return [Problem(code="near_duplicates_unchecked", params=limits)]
        found = []
        if pairs := copies.across():
            examples = ", ".join(_named(copies, pair) for pair in pairs[:EXAMPLES_IN_WARNING])
            leaked = copies.leaked()
            counts = {"count": sum(leaked.values()), "val": leaked["val"], "test": leaked["test"]}
            found.append(Problem(code="near_duplicates", params={**counts, "examples": examples}))
        if not copies.found.is_complete:
            found.append(Problem(code="near_duplicates_incomplete"))
        return found

    def report(self, dataset_id: str, limit: int) -> NearDuplicates:
        """Pairs (the first `limit`), groups and counts."""
        copies = self.find(dataset_id)
        if copies is None:
            count = self._items.count(dataset_id)
            return NearDuplicates(
                is_checked=False,
                is_complete=False,
                image_count=count,
                max_images=MAX_IMAGES,
                leaked={},
                pair_count=0,
                pairs=(),
                groups=(),
            )
        across = copies.across()
        within = sorted(set(copies.found.pairs) - set(across), key=_most_alike)
        return NearDuplicates(
            is_checked=True,
            is_complete=copies.found.is_complete,
            image_count=len(copies.looks),
            max_images=MAX_IMAGES,
            leaked=copies.leaked(),
            pair_count=len(copies.found.pairs),
            pairs=tuple(_shown(copies, pair) for pair in [*across, *within][:limit]),
            groups=tuple(copies.groups()),
        )

    def _search(self, dataset_id: str, only_across: bool) -> FoundCopies:
        looks = tuple(self._with_thumbnails(dataset_id))
        splits = [SPLITS.index(look.split) for look in looks]
        thumbnails = [look.thumbnail or b"" for look in looks]
        found = find_near_copies(thumbnails, [look.image for look in looks], splits, only_across)
        # The thumbnails have done their work: a kilobyte each.
        return FoundCopies(tuple(_without_thumbnail(look) for look in looks), found)

    @contextmanager
    def _one_search_each(self, dataset_id: str) -> Iterator[None]:
        """Who asks while a search goes on waits for its answer instead of searching too."""
        with self._guard:
            search = self._searches.setdefault(dataset_id, threading.Lock())
        with search:
            yield
        with self._guard:
            self._searches.pop(dataset_id, None)

    def _with_thumbnails(self, dataset_id: str) -> Iterator[ItemLook]:
        """Items imported before thumbnails were kept get theirs now; an image that cannot be read stays without."""
        made: dict[str, bytes] = {}
        for look in self._items.looks(dataset_id):
            if look.thumbnail is not None:
                yield look
                continue
            made[look.id] = self._thumbnail(look)
            yield ItemLook(look.id, look.split, look.name, look.image, made[look.id])
            if len(made) == BATCH:
                self._items.keep_thumbnails(made)
                made = {}
        self._items.keep_thumbnails(made)

    def _thumbnail(self, look: ItemLook) -> bytes:
        try:
            return grey_thumbnail(self._objects.read_bytes(look.image))
        except UnavailableError:
            raise
        except ArmError:
            return b""


def _without_thumbnail(look: ItemLook) -> ItemLook:
    return ItemLook(look.id, look.split, look.name, look.image, None)


def _most_alike(pair: NearPair) -> tuple[float, int, int, int]:
    return -pair.likeness, pair.distance, pair.left, pair.right


def _named(copies: FoundCopies, pair: NearPair) -> str:
    left, right = copies.looks[pair.left], copies.looks[pair.right]
    return f"{left.split}/{left.name} ≈ {right.split}/{right.name}"


def _shown(copies: FoundCopies, pair: NearPair) -> NearDuplicate:
    sides = [
        NearCopy(item_id=look.id, name=look.name, split=look.split, image=look.image)
        for look in (copies.looks[pair.left], copies.looks[pair.right])
    ]
    return NearDuplicate(left=sides[0], right=sides[1], distance=pair.distance, likeness=pair.likeness)
