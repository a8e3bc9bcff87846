"""What a person has drawn on one image and not saved yet. Kept in the session, so switching images loses nothing."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from app import session_keys
from app.api_requests import ApiError
from app.components.boxes import Box, boxes_from_markup
from backend.contracts.datasets import DatasetItem

TRUTH = "edit"
_generations = itertools.count(1)


@dataclass
class Draft:
    """Boxes of one item. `source` is `edit`, or `run:<id>` when a prediction was taken as the start.

    `generation` is a number of this filling of the canvas, never used twice; `initial` is what it was filled with.
    """

    item_id: str
    source: str
    base_revision: int
    saved: tuple[Box, ...]
    boxes: tuple[Box, ...]
    generation: int = field(default_factory=lambda: next(_generations))
    initial: tuple[Box, ...] = field(default=())
    conflict: ApiError | None = None

    def __post_init__(self) -> None:
        self.initial = self.boxes

    @property
    def is_dirty(self) -> bool:
        """Whether a save would change anything; the order of boxes does not count."""
        return _places(self.boxes) != _places(self.saved)

    def replace(self, boxes: Iterable[Box]) -> None:
        """Change the boxes from outside the canvas, which is then filled anew."""
        self.boxes = self.initial = tuple(boxes)
        self.generation = next(_generations)

    def accept(self, item: DatasetItem) -> None:
        """The backend has saved: the same boxes are the saved ones now, and the canvas is left alone."""
        self.saved, self.base_revision, self.conflict = self.boxes, item.revision, None

    def unknown_classes(self, classes: Sequence[str]) -> list[str]:
        """Labels typed on the canvas that are no class of the dataset."""
        return sorted({box.class_name for box in self.boxes} - set(classes))


def open_draft(item: DatasetItem, source: str, start: Iterable[Box] | None = None) -> Draft:
    """The session's draft of `item`, made from `start` (a prediction) or from the saved boxes when there is none.

    A draft without changes follows what others save; one with changes stays as it is.
    """
    drafts: dict[tuple[str, str], Draft] = st.session_state.setdefault(session_keys.ANNOTATION_DRAFTS, {})
    for key in [key for key, draft in drafts.items() if key != (item.id, source) and not draft.is_dirty]:
        del drafts[key]
    draft = drafts.get((item.id, source))
    if draft is None or (not draft.is_dirty and draft.base_revision != item.revision):
        saved = boxes_from_markup(item.markup)
        draft = Draft(item.id, source, item.revision, saved, saved if start is None else tuple(start))
        drafts[item.id, source] = draft
    return draft


def has_draft(item_id: str, source: str) -> bool:
    """Whether the session holds a draft of this item."""
    return (item_id, source) in st.session_state.get(session_keys.ANNOTATION_DRAFTS, {})


def forget(item_id: str, source: str) -> None:
    """Drop a draft; the next look at the item starts anew."""
    st.session_state.get(session_keys.ANNOTATION_DRAFTS, {}).pop((item_id, source), None)


def unsaved_items(but: str) -> list[tuple[str, str]]:
    """(item id, source) of drafts with unsaved boxes of other items."""
    drafts: dict[tuple[str, str], Draft] = st.session_state.get(session_keys.ANNOTATION_DRAFTS, {})
    return [key for key, draft in drafts.items() if draft.is_dirty and draft.item_id != but]


def _places(boxes: Iterable[Box]) -> list[tuple[str, float, float, float, float]]:
    return sorted((box.class_name, box.x1, box.y1, box.x2, box.y2) for box in boxes)
