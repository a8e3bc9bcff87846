"""How much scripts may keep in a project: what is there is measured, what is added meanwhile is bounded from above."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from backend.domain.errors import ConflictError, TooLargeError

MEASURED_FOR_S = 60.0
PATIENCE_S = 10.0


@dataclass
class _Usage:
    lock: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0
    size_bytes: int = 0
    measured_at: float | None = None


class ProjectQuota:
    """`what` ends the codes of its errors: quota_<what>, quota_<what>_bytes. `measure(project_id)`: count, bytes.

    Exact within one API process; several know of each other's writes a minute later.
    """

    def __init__(self, what: str, max_count: int, max_bytes: int, measure: Callable[[str], tuple[int, int]]) -> None:
        self._what = what
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._measure = measure
        self._usages: defaultdict[str, _Usage] = defaultdict(_Usage)

    @contextmanager
    def room_for(self, project_id: str, count: int, size_bytes: int) -> Iterator[None]:
        """Add this much inside. One change of a project at a time.

        Raises TooLargeError('quota_…'), or ConflictError('project_data_busy') when others take too long.
        """
        usage = self._usages[project_id]
        with self._alone(project_id, usage):
            if self._is_old(usage) or self._is_over(usage, count, size_bytes):
                self._look(project_id, usage)
            if usage.count + count > self._max_count and count > 0:
                raise TooLargeError(f"quota_{self._what}", limit=self._max_count)
            if usage.size_bytes + size_bytes > self._max_bytes and size_bytes > 0:
                raise self.too_large()
            # Counted even when the change fails half-way: the next look corrects it.
            usage.count += count
            usage.size_bytes += size_bytes
            yield

    @contextmanager
    def less(self, project_id: str) -> Iterator[None]:
        """Remove something inside; what is counted stays a bound from above."""
        with self._alone(project_id, self._usages[project_id]):
            yield

    def free_bytes(self, project_id: str) -> int:
        """How much may be added. Raises TooLargeError when that is nothing."""
        free = self._max_bytes - self._measure(project_id)[1]
        if free <= 0:
            raise self.too_large()
        return free

    def too_large(self) -> TooLargeError:
        """The refusal of more bytes than there is room for."""
        return TooLargeError(f"quota_{self._what}_bytes", limit_mb=self._max_bytes >> 20)

    @staticmethod
    def _is_old(usage: _Usage) -> bool:
        return usage.measured_at is None or time.monotonic() - usage.measured_at > MEASURED_FOR_S

    def _is_over(self, usage: _Usage, count: int, size_bytes: int) -> bool:
        return usage.count + count > self._max_count or usage.size_bytes + size_bytes > self._max_bytes

    def _look(self, project_id: str, usage: _Usage) -> None:
        usage.count, usage.size_bytes = self._measure(project_id)
        usage.measured_at = time.monotonic()

    @contextmanager
    def _alone(self, project_id: str, usage: _Usage) -> Iterator[None]:
        if not usage.lock.acquire(timeout=PATIENCE_S):
            raise ConflictError("project_data_busy", id=project_id)
        try:
            yield
        finally:
            usage.lock.release()
