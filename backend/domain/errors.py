"""The one tree of errors. The HTTP status of each class is decided in api/error_handlers.py alone.

Sentences live in assets/locales/<language>/errors.json under the error's code (`message` and `hint`), so the same
error speaks the reader's language.
"""

from collections.abc import Iterable
from typing import Any

from backend.contracts.base import Problem


class ArmError(Exception):
    """Something the user can be told about: `code` names the sentence, `params` fill it."""

    def __init__(self, code: str, problems: Iterable[Problem] = (), **params: Any) -> None:
        super().__init__(f"{code} {params}")
        self.code = code
        self.params = params
        self.problems = tuple(problems)


class NotFoundError(ArmError):
    """The named thing does not exist."""


class InvalidInputError(ArmError):
    """What the user gave breaks a rule; `problems` locate the faults."""


class ConflictError(ArmError):
    """The thing is in a state, or at a revision, that forbids the request."""


class TooLargeError(ArmError):
    """An upload or an archive is over a limit."""


class NotAllowedError(ArmError):
    """The token is missing, unknown, or not valid for this thing."""


class UnavailableError(ArmError):
    """A store or service that is needed does not answer; the request may be repeated."""
