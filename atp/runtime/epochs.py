"""`#atp.Epochs`: a resumable count of passes."""

from collections.abc import Iterator


class Epochs:
    """Iterates 0..total-1 from where its state says. A pass is done when the next one is asked for, or marked done.

    It begins anew when it is iterated after it came to its end. A state that was loaded comes first: of a loop that
    came to its end inside of another one that is to begin anew, of an outermost one that nothing is left.

    Args:
        total: number of passes, 0 or more
    """

    def __init__(self, total: int) -> None:
        if total < 0:
            raise ValueError(f"total is {total}; it must be 0 or more")
        self.total = total
        self.done_count = 0
        self.is_inner = False  # whether it is iterated inside of another loop; told by who builds the pipeline
        self._has_ended = False

    def __iter__(self) -> Iterator[int]:
        if self._has_ended:
            self.done_count, self._has_ended = 0, False
        while self.done_count < self.total:
            current = self.done_count
            yield current
            self.done_count = current + 1
        self._has_ended = True

    def __len__(self) -> int:
        return self.total

    def mark_done(self) -> None:
        """Count the pass that is running: what is saved after this goes on with the next one."""
        self.done_count = min(self.total, self.done_count + 1)

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint keeps."""
        return {"done": 0 if self.is_inner and self._has_ended else self.done_count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a kept state."""
        self.done_count, self._has_ended = state["done"], False
