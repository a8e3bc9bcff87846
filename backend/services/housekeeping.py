"""Work that nobody waits for: runs beside the API, every now and then and at once when something was deleted."""

import logging
import threading
from collections.abc import Callable, Sequence

from backend.domain.errors import ArmError

PERIOD_S = 60.0
log = logging.getLogger(__name__)


class Housekeeping:
    """Chores in turn, in a thread of its own. A chore that fails is tried again next time; the others go on."""

    def __init__(self, period_s: float = PERIOD_S) -> None:
        self._chores: Sequence[Callable[[], object]] = ()
        self._period_s = period_s
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def start(self, chores: Sequence[Callable[[], object]]) -> None:
        """Begin; the first round is now."""
        self._chores = chores
        self._thread.start()

    def wake(self) -> None:
        """Do a round soon."""
        self._wake.set()

    def stop(self) -> None:
        """End after the chore at hand."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            for chore in self._chores:
                if self._is_stopping:
                    return
                try:
                    chore()
                except (ArmError, OSError) as error:
                    log.warning("housekeeping: %s", error)
            self._wake.wait(self._period_s)
