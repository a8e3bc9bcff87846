"""`--profile`: the time of each step, from its start to the start of the next one on the same process."""

from time import perf_counter


class StepProfile:
    """Adds up times by step. On a GPU they are times of launching, not of computing."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._current: str | None = None
        self._since = perf_counter()

    def __call__(self, step: str) -> None:
        """A step starts; the one before it ends."""
        self.stop()
        self._current = step
        self._counts[step] = self._counts.get(step, 0) + 1

    def stop(self) -> None:
        """The last step ends."""
        now = perf_counter()
        if self._current is not None:
            self._seconds[self._current] = self._seconds.get(self._current, 0.0) + now - self._since
        self._current, self._since = None, perf_counter()

    def rows(self) -> list[tuple[str, int, float]]:
        """Step, how often, seconds; the slowest first."""
        ordered = sorted(self._seconds.items(), key=lambda item: -item[1])
        return [(step, self._counts[step], seconds) for step, seconds in ordered]

    def to_text(self) -> str:
        """The table."""
        total = sum(self._seconds.values()) or 1.0
        head = f"{'seconds':>10} {'share':>7} {'count':>8}  step"
        lines = [f"{s:10.4f} {100 * s / total:6.1f}% {n:8d}  {step}" for step, n, s in self.rows()]
        return "\n".join([head, *lines])
