"""Messages that the workstation itself puts among those of a run."""

from collections.abc import Callable
from datetime import datetime

from backend.contracts.base import Reason
from backend.contracts.reports import Message, MessageLevel
from backend.sentences import sentence
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.stores.mongo.run_message_store import RunMessageStore


class OwnMessages:
    """English text for whoever reads plainly, a code for pages that speak the reader's language."""

    def __init__(self, messages: RunMessageStore, cursors: RunCursorStore, now: Callable[[], datetime]) -> None:
        self._messages = messages
        self._cursors = cursors
        self._now = now

    def post(self, run_id: str, key: str, level: MessageLevel, reason: Reason) -> None:
        """Add a message; the same `key` again replaces it."""
        text = sentence(f"reason.{reason.code}", reason.params)
        message = Message(time=self._now().timestamp(), level=level, text=text, reason=reason)
        if self._messages.put_own(run_id, key, message):
            self._cursors.add_count(run_id, "own", level)
