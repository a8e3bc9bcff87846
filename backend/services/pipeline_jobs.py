"""Slow answers, worked out one after another in the background and remembered by what was asked."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

REMEMBERED = 200
Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class PipelineJobs(Generic[Answer]):
    """Of one owner only the newest question waits for its turn: an older text interests nobody."""

    def __init__(self, thread_count: int = 1) -> None:
        self._threads = ThreadPoolExecutor(thread_count, thread_name_prefix="pipeline-checks")
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._asked: dict[str, tuple[str, Future[Answer]]] = {}
        self._lock = threading.Lock()

    def ask(self, owner: str, key: str, work: Callable[[], Answer], patience_s: float = 0) -> Answer | None:
        """The answer to `key`, or None if it is still being worked out after `patience_s`.

        What `work` raises is raised here, once.
        """
        answer, future = self._known(owner, key, work)
        if future is not None and patience_s > 0:
            wait([future], patience_s)
            return self._known(owner, key, work)[0]
        return answer

    def _known(
        self, owner: str, key: str, work: Callable[[], Answer]
    ) -> "tuple[Answer, None] | tuple[None, Future[Answer]]":
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key], None
            waiting, future = self._asked.get(owner, ("", None))
            if waiting == key and future is not None and not future.cancelled():
                return (self._taken(owner, key, future), None) if future.done() else (None, future)
            if future is not None:
                future.cancel()
            future = self._threads.submit(work)
            self._asked[owner] = (key, future)
            return None, future

    def forget(self, key: str) -> None:
        """Work it out anew when it is asked again."""
        with self._lock:
            self._answers.pop(key, None)

    def _taken(self, owner: str, key: str, future: "Future[Answer]") -> Answer:
        del self._asked[owner]
        answer = future.result()
        self._answers[key] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        return answer

    def close(self) -> None:
        """Start nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
