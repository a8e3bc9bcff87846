"""The base of every contract: immutable, and strict about unknown fields so that a typing mistake is an error."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Language = Literal["en", "ru"]


class Contract(BaseModel):
    """A frozen value object; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Reason(Contract):
    """A sentence that the reader's language decides: `code` is a key of assets/locales, `params` fill its holes."""

    code: str
    params: dict[str, Any] = {}


class Problem(Reason):
    """One fault found in what a user gave us, located: file inside the upload and 1-based line where they are known."""

    file: str | None = None
    line: int | None = None


class ErrorReply(Contract):
    """Body of every non-2xx answer. `message`, `hint` are English; a UI renders `code` + `params` in its own."""

    code: str
    params: dict[str, Any] = {}
    message: str
    hint: str = ""
    problems: tuple[Problem, ...] = ()
