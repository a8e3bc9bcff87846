"""Joins the small chunks that batches bring into blocks, so that a series of any length is read from few documents."""

from backend.stores.mongo.run_cursor_store import Cursor, RunCursorStore
from backend.stores.mongo.run_point_store import RunPointStore

EVERY_POINTS = 4096
EVERY_BATCHES = 256
MIN_POINTS = 1000
MIN_CHUNKS = 256


class PointSealing:
    """Works inside the intake: no thread, and nothing to catch up with after a restart. The cursor of an event file
    counts its points and batches, so each 4096 of the one and 256 of the other some series of it are sealed.
    """

    def __init__(self, points: RunPointStore, cursors: RunCursorStore) -> None:
        self._points = points
        self._cursors = cursors

    def after_batch(self, run_id: str, file: str, end: int, before: Cursor, point_count: int) -> None:
        """A batch was stored that ends at `end`; `before` is the cursor it found."""
        is_due = (before.point_count + point_count) // EVERY_POINTS > before.point_count // EVERY_POINTS
        if is_due or (before.batch_count + 1) % EVERY_BATCHES == 0:
            for unsealed in self._points.unsealed(run_id, file, end):
                if unsealed.point_count >= MIN_POINTS or unsealed.chunk_count >= MIN_CHUNKS:
                    self.seal(run_id, file, unsealed.series, end)

    def seal_all(self, run_id: str) -> None:
        """Join whatever is still in more than one chunk."""
        for file, end in self._cursors.files(run_id).items():
            for unsealed in self._points.unsealed(run_id, file, end.accepted):
                if unsealed.chunk_count > 1:
                    self.seal(run_id, file, unsealed.series, end.accepted)

    def seal(self, run_id: str, file: str, series: str, end: int) -> None:
        """Join the chunks that begin before `end`, which must be stored for good. It may die or be done by two
        backends at any moment: the order of its steps is what keeps every point (see RunPointStore).
        """
        fold = self._points.fold(run_id, file, series)
        while (sealed := self._points.put_block(run_id, file, series, fold, end)) is not None:
            rows, upto = sealed
            fold.add(rows)
            fold.upto = upto
            if not self._points.put_fold(run_id, file, series, fold):
                return  # Another backend is ahead and will drop what it covers.
            self._points.drop_covered(run_id, file, series, upto)
        self._points.drop_covered(run_id, file, series, fold.upto)
