"""Graphs of runs as pages read them: overview, exact ranges, statistics, whatever the length of a series."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from backend.contracts.reports import PointsReply, Series, SeriesSummary
from backend.domain.series_fold import CAPACITY, ROW, SeriesFold
from backend.domain.series_view import SeriesView, stats_of, to_series, view_of, view_of_range
from backend.stores.mongo.run_cursor_store import FileEnd, RunCursorStore
from backend.stores.mongo.run_point_store import RunPointStore
from backend.stores.mongo.run_store import RunStore

MAX_KEPT_ROWS = 1_000_000
"""Over all runs that are held in memory; 40 bytes each."""
LOWEST, HIGHEST = -(2**63), 2**63 - 1


@dataclass
class _RunFolds:
    """What is known of one run: how far each event file was read, and the fold of each series in it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read: dict[str, int] = field(default_factory=dict)
    folds: dict[str, dict[str, SeriesFold]] = field(default_factory=dict)
    """by series, then by event file"""

    @property
    def kept_rows(self) -> int:
        return sum(len(fold.kept) for of_series in list(self.folds.values()) for fold in list(of_series.values()))


class SeriesService:
    """Keeps the folds of the runs that are looked at, so a page that asks every second costs only what is new.

    They are a cache: after a restart they are read from the stored folds and the chunks that came after those.
    Every method raises NotFoundError for an unknown run.
    """

    def __init__(self, runs: RunStore, cursors: RunCursorStore, points: RunPointStore) -> None:
        self._runs = runs
        self._cursors = cursors
        self._points = points
        self._held: OrderedDict[str, _RunFolds] = OrderedDict()
        self._held_lock = threading.Lock()

    def points(
        self,
        run_id: str,
        names: Collection[str] | None,
        max_points: int,
        known_version: int | None = None,
        from_step: int | None = None,
        to_step: int | None = None,
    ) -> PointsReply | None:
        """Graphs, each of at most `max_points`; None when nothing came since `known_version`.

        The version is the number of points stored. It is read before the points, so a point that arrives in between
        is at worst sent twice, never missed.
        """
        self._runs.check(run_id)
        ends = self._cursors.files(run_id)
        version = sum(end.points for end in ends.values())
        if version == known_version:
            return None
        steps = (LOWEST if from_step is None else from_step, HIGHEST if to_step is None else to_step)
        shown = [
            self._shown(run_id, name, files, view, steps, max_points, ends)
            for name, files, view in self._views(run_id, ends)
            if names is None or name in names
        ]
        return PointsReply(version=version, series=tuple(shown))

    def summaries(self, run_id: str) -> list[SeriesSummary]:
        """Statistics of every graph, in the order in which the graphs first appeared."""
        self._runs.check(run_id)
        views = self._views(run_id, self._cursors.files(run_id))
        return [SeriesSummary(name=name, stats=stats_of(view)) for name, _, view in views]

    def _views(self, run_id: str, ends: Mapping[str, FileEnd]) -> list[tuple[str, dict[int, str], SeriesView]]:
        """Name, the event file of each fold by the fold's id, and the whole graph."""
        held = self._hold(run_id)
        with held.lock:
            self._read_new(run_id, held, ends)
            # Copies: another request may fold in more while this one still draws. Arrays are never changed in place.
            copies = {
                name: {file: replace(fold) for file, fold in by_file.items()} for name, by_file in held.folds.items()
            }
        self._let_go()
        views = [
            (name, {id(fold): file for file, fold in by_file.items()}, view_of(list(by_file.values())))
            for name, by_file in copies.items()
        ]
        return sorted(views, key=lambda found: (found[2].rows["time"][0], found[0]))

    def _read_new(self, run_id: str, held: _RunFolds, ends: Mapping[str, FileEnd]) -> None:
        news = {file: end.accepted for file, end in ends.items() if end.accepted > held.read.get(file, 0)}
        if not news:
            return
        # Chunks first: one that is gone by now is in a fold that is seen afterwards.
        chunks = [
            c for file, end in news.items() for c in self._points.chunks(run_id, file, held.read.get(file, 0), end)
        ]
        ahead = [
            (file, series)
            for (file, series), upto in self._points.fold_marks(run_id).items()
            if upto > held.folds.get(series, {}).get(file, SeriesFold()).upto
        ]
        for (file, series), fold in self._points.folds(run_id, ahead).items():
            held.folds.setdefault(series, {})[file] = fold
        for chunk in chunks:
            fold = held.folds.setdefault(chunk.series, {}).setdefault(chunk.file, SeriesFold())
            if chunk.offset >= fold.upto:
                chunk.rows["pos"] += fold.count
                fold.add(chunk.rows)
                fold.upto = chunk.offset + 1
        held.read |= news

    def _shown(
        self,
        run_id: str,
        name: str,
        files: Mapping[int, str],
        view: SeriesView,
        steps: tuple[int, int],
        max_points: int,
        ends: Mapping[str, FileEnd],
    ) -> Series:
        stats = stats_of(view)
        is_whole = steps == (LOWEST, HIGHEST)
        # Where processes wrote at the same time and their steps repeat, places between kept points are estimates.
        is_placed = view.axis != "pos" or view.shifts is not None
        if view.is_exact or not is_placed or (is_whole and max_points <= CAPACITY // 2):
            rows = view.rows[(view.steps >= steps[0]) & (view.steps <= steps[1])]
            part = SeriesView(rows, view.axis, view.folds, view.shifts)
            return to_series(name, part, max_points, stats, is_exact=view.is_exact)
        parts = []
        for number, fold in enumerate(view.folds):
            shift = view.shifts[number] if view.shifts is not None and view.axis == "pos" else 0
            file = files[id(fold)]
            parts.append(self._part(run_id, file, name, view, steps, shift, 4 * max_points, ends[file].accepted))
        found = [part for part in parts if part.count]
        part = view_of_range(found, view.axis) if found else SeriesView(np.zeros(0, ROW), view.axis, (), None)
        return to_series(name, part, max_points, stats, is_exact=part.is_exact)

    def _part(
        self,
        run_id: str,
        file: str,
        name: str,
        view: SeriesView,
        steps: tuple[int, int],
        shift: int,
        capacity: int,
        end: int,
    ) -> SeriesFold:
        """The points of one event file in a range, read block by block: memory does not depend on the range."""
        low, high = (min(max(step - shift, LOWEST), HIGHEST) for step in steps)
        part = SeriesFold(capacity=capacity)
        chunks = self._points.chunks(run_id, file, 0, end, name)
        count, upto = self._points.fold_end(run_id, file, name)
        for rows in self._points.block_rows(run_id, file, name, view.axis, low, high, before=count):
            rows["pos"] += shift
            part.add(rows)
        for chunk in chunks:
            if chunk.offset >= upto:
                chunk.rows["pos"] += count
                count += len(chunk.rows)
                rows = chunk.rows[(chunk.rows[view.axis] >= low) & (chunk.rows[view.axis] <= high)]
                rows["pos"] += shift
                part.add(rows)
        return part

    def _hold(self, run_id: str) -> _RunFolds:
        with self._held_lock:
            held = self._held.setdefault(run_id, _RunFolds())
            self._held.move_to_end(run_id)
            return held

    def _let_go(self) -> None:
        """Forget the runs that nobody looked at for longest, while too much is kept."""
        with self._held_lock:
            sizes = {run_id: held.kept_rows for run_id, held in self._held.items()}
            while len(self._held) > 1 and sum(sizes.values()) > MAX_KEPT_ROWS:
                oldest, _ = self._held.popitem(last=False)
                del sizes[oldest]
