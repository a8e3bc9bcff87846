"""Gathers the faults of one upload: all are counted, the first ones are kept."""

from collections.abc import Iterable

from backend.contracts.base import Problem

MAX_KEPT = 200


class ProblemList:
    """A bounded list of problems that knows how many there really were."""

    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.count = 0

    def extend(self, problems: Iterable[Problem]) -> None:
        """Count all, keep while there is room."""
        for problem in problems:
            self.count += 1
            if len(self.kept) < MAX_KEPT:
                self.kept.append(problem)

    def add(self, problem: Problem) -> None:
        """Add one."""
        self.extend([problem])
