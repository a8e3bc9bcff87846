"""Finds images that are copies of one another though not byte for byte: turned, mirrored, cropped, brightened.

Works on grey thumbnails alone. First a perceptual hash, which is cheap and only proposes; then the two thumbnails are
laid over one another, which decides: welds look alike, so a hash alone takes different ones for copies
(docs/decisions/0018).
NumPy is imported where it is needed: it would double the time the API takes to start.

Shapes: N images, P pixels of a thumbnail, K = 8 ways to turn and mirror it, M pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.domain.image_alignment import aligned_likeness, standardised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 32
"""pixels of a thumbnail's edge: what the perceptual hash of 64 bits is defined on"""
MAX_DISTANCE = 12
"""bits in which the hashes of two candidates may differ"""
MIN_ROUGH_LIKENESS = 0.65
"""correlation of the thumbnails as they lie, below which laying them over one another finds no copy either"""
MIN_LIKENESS, MIN_DETAIL_LIKENESS = 0.93, 0.85
"""correlations, of the thumbnails and of their details alone, once they lie over one another, that make two copies"""
MIN_CONTRAST = 2.0
"""standard deviation in grey levels: a thumbnail below shows nothing that could be compared"""
CANDIDATES_AT_ONCE = 256
HASHED_AT_ONCE = 4096
"""thumbnails, as floating point numbers 8 kB each"""
MAX_CANDIDATES = 200_000
"""that are laid over one another, about a millisecond each; a search that met more stops there and says so"""


@dataclass(frozen=True)
class NearPair:
    """Two copies by their positions, `left` < `right`. `distance` is that of the hashes, in bits of 64."""

    left: int
    right: int
    distance: int
    likeness: float


@dataclass(frozen=True)
class NearCopies:
    """Pairs that prove the groups, and the group of every image: the position of its first member.

    `is_complete` is False when so many images look alike that the search was given up.
    """

    pairs: tuple[NearPair, ...]
    groups: tuple[int, ...]
    is_complete: bool = True


def find_near_copies(
    thumbnails: Sequence[bytes], names: Sequence[str], splits: Sequence[int], only_across: bool = False
) -> NearCopies:
    """Near copies among images, each given by its thumbnail (SIDE × SIDE grey bytes, or empty: unknown), the hash of
    its file and its split (0 is train).

    Groups are exact. Of pairs within a group only as many are looked at as prove the group and, for every image outside
    split 0, that a copy of it lies in another split: a thousand frames of a still scene give no million pairs. With
    `only_across` nothing but the latter is looked for, which is faster, and groups mean nothing.
    """
    search = _Search(thumbnails, names, splits, only_across)
    search.join_equal_files()
    search.compare_all()
    pairs = sorted(search.pairs, key=lambda pair: (pair.left, pair.right))
    return NearCopies(tuple(pairs), tuple(search.groups()), search.budget > 0)


def perceptual_hashes(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """pHash of (N, SIDE, SIDE) thumbnails turned and mirrored in all 8 ways: (N, 8), the first as it lies.

    The bits are those of `imagehash.phash`; turning a thumbnail only transposes its cosine transform or changes signs.
    """
    import numpy as np

    rows, columns = np.arange(8)[:, None], np.arange(SIDE)[None]
    cosines = np.cos(np.pi * (2 * columns + 1) * rows / (2 * SIDE))
    low = cosines @ thumbnails.astype(np.float64) @ cosines.T
    signs = 1 - 2 * (np.arange(8) % 2)
    found = []
    for is_transposed, is_upturned, is_mirrored in _WAYS:
        turned = low.transpose(0, 2, 1) if is_transposed else low
        turned = turned * (signs[:, None] if is_upturned else 1) * (signs[None] if is_mirrored else 1)
        flat = turned.reshape(-1, 64)
        bits = flat > np.median(flat, axis=1, keepdims=True)
        found.append(np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64))
    return np.stack(found, axis=1)


def turned_ways(thumbnails: NDArray[Any]) -> NDArray[Any]:
    """(N, SIDE, SIDE) turned and mirrored in all 8 ways: (N, 8, SIDE, SIDE), in the order of `perceptual_hashes`."""
    import numpy as np

    found = []
    for is_transposed, is_upturned, is_mirrored in _WAYS:
        turned = thumbnails.transpose(0, 2, 1) if is_transposed else thumbnails
        turned = turned[:, ::-1] if is_upturned else turned
        found.append(turned[:, :, ::-1] if is_mirrored else turned)
    return np.stack(found, axis=1)


_WAYS = [(transposed, upturned, mirrored) for transposed in (0, 1) for upturned in (0, 1) for mirrored in (0, 1)]


class _Search:
    """Compares each image with those after it; knows which images are joined already and need no further proof."""

    def __init__(
        self, thumbnails: Sequence[bytes], names: Sequence[str], splits: Sequence[int], only_across: bool
    ) -> None:
        import numpy as np

        self._names = names
        self._only_across = only_across
        self._splits = np.array(splits, dtype=np.int64)
        self.pairs: list[NearPair] = []
        self.budget = MAX_CANDIDATES
        # Smaller position is the parent; `_labels` of all images are rewritten at each join, which is rare.
        self._labels = np.arange(len(names))
        # An image of train needs no proof of its own: what counts are those that a model is judged on.
        self._is_proven = self._splits == 0
        blank = bytes(SIDE * SIDE)
        pixels = b"".join(one if len(one) == SIDE * SIDE else blank for one in thumbnails)
        self._thumbnails = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE)
        parts = self._parts(self._thumbnails)
        self._is_plain = np.concatenate([part.std(axis=(1, 2)) for part in parts] or [np.zeros(0)]) < MIN_CONTRAST

    def groups(self) -> list[int]:
        """Group of every image."""
        return [int(label) for label in self._labels]

    def join_equal_files(self) -> None:
        """Files equal byte for byte are copies whatever they show."""
        same: dict[str, list[int]] = {}
        for position, name in enumerate(self._names):
            same.setdefault(name, []).append(position)
        for positions in same.values():
            # The first image, and the first of another split, prove it for all the others.
            first = positions[0]
            second = next((one for one in positions if self._splits[one] != self._splits[first]), first)
            for position in positions:
                for other in (first, second):
                    if self._are_news(other, position):
                        self._join(min(other, position), max(other, position), 0, 1.0)

    def compare_all(self) -> None:
        """Propose by hash, decide by laying over."""
        import numpy as np

        kept = np.flatnonzero(~self._is_plain)
        if not kept.size:
            return
        hashes = np.concatenate([perceptual_hashes(part) for part in self._parts(self._thumbnails[kept])])
        waiting: list[NDArray[np.int64]] = []
        count = 0
        for row in range(len(kept)):
            distances = np.bitwise_count(hashes[row, 0] ^ hashes[row + 1 :]).min(axis=1, initial=64)
            columns = np.flatnonzero(distances <= MAX_DISTANCE)
            if not columns.size:
                continue
            left, right = np.full(columns.size, kept[row]), kept[row + 1 + columns]
            found = np.stack([left, right, distances[columns]], axis=1)
            waiting.append(found)
            count += len(found)
            if count >= CANDIDATES_AT_ONCE:
                self._decide(np.concatenate(waiting))
                waiting, count = [], 0
                if self.budget <= 0:
                    return
        if waiting:
            self._decide(np.concatenate(waiting))

    @staticmethod
    def _parts(thumbnails: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        return [thumbnails[start : start + HASHED_AT_ONCE] for start in range(0, len(thumbnails), HASHED_AT_ONCE)]

    def _decide(self, candidates: NDArray[np.int64]) -> None:
        import numpy as np

        for start in range(0, len(candidates), CANDIDATES_AT_ONCE):
            some = candidates[start : start + CANDIDATES_AT_ONCE]
            some = some[self._are_news(some[:, 0], some[:, 1])]
            if not len(some):
                continue
            left = self._thumbnails[some[:, 0]].astype(np.float32)
            ways = turned_ways(self._thumbnails[some[:, 1]]).astype(np.float32)
            rough = np.einsum("np,nkp->nk", standardised(left), standardised(ways))
            hopeful = np.flatnonzero(rough.max(axis=1) >= MIN_ROUGH_LIKENESS)
            if not len(hopeful):
                continue
            self.budget -= len(hopeful)
            some, best = some[hopeful], rough.argmax(axis=1)[hopeful]
            likeness, detail = aligned_likeness(left[hopeful], ways[hopeful, best])
            for one in np.flatnonzero((likeness >= MIN_LIKENESS) & (detail >= MIN_DETAIL_LIKENESS)):
                left_at, right_at, distance = (int(value) for value in some[one])
                if self._are_news(left_at, right_at):
                    self._join(left_at, right_at, distance, float(likeness[one]))

    def _are_news(self, left: Any, right: Any) -> Any:
        """Whether a pair, or each of several, would tell anything new."""
        is_across = self._splits[left] != self._splits[right]
        is_proof = is_across & ~(self._is_proven[left] & self._is_proven[right])
        return is_proof if self._only_across else is_proof | (self._labels[left] != self._labels[right])

    def _join(self, left: int, right: int, distance: int, likeness: float) -> None:
        self.pairs.append(NearPair(left, right, distance, round(likeness, 4)))
        low, high = sorted((int(self._labels[left]), int(self._labels[right])))
        if low != high:
            self._labels[self._labels == high] = low
        if self._splits[left] != self._splits[right]:
            self._is_proven[left] = self._is_proven[right] = True
