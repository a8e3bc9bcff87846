"""What scripts keep for their project: documents, keys, files. Bodies of /agent/runs/{id}/documents|keys|files."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from backend.contracts.base import Contract

Document = dict[str, Any]
"""A JSON object; `_id` is a string and unique in its collection."""
Filter = dict[str, Any]
Update = dict[str, Any]


class DocumentInsert(Contract):
    """Documents to add, all or those before the first that is refused; `_id` is made up where it is missing."""

    documents: Annotated[tuple[Document, ...], Field(min_length=1, max_length=1000)]


class DocumentFind(Contract):
    """A page of matches. `sort` is [field, 1 or -1] pairs; equal ones are ordered by `_id`."""

    filter: Filter = {}
    sort: Annotated[tuple[tuple[str, Literal[1, -1]], ...], Field(max_length=8)] = ()
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


class DocumentUpdate(Contract):
    """Change the first match or all. `upsert`: where nothing matches, add what the filter says and change that."""

    filter: Filter
    update: Update
    is_many: bool = False
    upsert: bool = False


class DocumentReplace(Contract):
    """Put a document in the place of the first match, whose `_id` it keeps. `upsert`: add it where nothing matches."""

    filter: Filter
    document: Document
    upsert: bool = False


class DocumentDelete(Contract):
    """Delete the first match or all."""

    filter: Filter
    is_many: bool = False


class DocumentCount(Contract):
    """Count matches."""

    filter: Filter = {}


class DocumentPage(Contract):
    """A part of an answer, cut at its size; `next_offset` is where to go on, None at the end."""

    documents: tuple[Document, ...]
    next_offset: int | None = None


class DocumentChange(Contract):
    """How many documents matched a change, and the ids of those that were added."""

    count: int
    ids: tuple[str, ...] = ()


class Key(Contract):
    """Names one key of the project."""

    key: str


class KeySet(Key):
    """Keep a JSON value for `ttl_s` seconds; None is the longest time."""

    value: Any
    ttl_s: float | None = None
    only_if_absent: bool = False


class KeyIncrement(Key):
    """Add to a whole number; a missing one counts as 0."""

    by: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 1


class KeyExpiry(Key):
    """Keep a key for `ttl_s` more seconds."""

    ttl_s: float


class KeyPush(Key):
    """Append JSON values to a list, which a missing key becomes."""

    values: Annotated[tuple[Any, ...], Field(min_length=1, max_length=1000)]


class KeyPop(Key):
    """Take the first or the last value of a list."""

    is_first: bool = True


class KeyRange(Key):
    """Values of a list from `start` to `stop`, both inclusive; negative ones count from the end."""

    start: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 0
    stop: Annotated[int, Field(ge=-(2**31), lt=2**31)] = -1


class KeySearch(Contract):
    """Names of keys that begin with `prefix`."""

    prefix: str = ""


class KeyReply(Contract):
    """`value` is the answer; `is_found` tells a missing key or an empty list from a stored null."""

    value: Any = None
    is_found: bool = True


class ProjectFile(Contract):
    """A file that a project keeps."""

    name: str
    size_bytes: int
    sha256: str
    updated_at: AwareDatetime


class ProjectFilePage(Contract):
    """Files in the order of their names; `next_after` goes on behind the last one, None at the end."""

    files: tuple[ProjectFile, ...]
    next_after: str | None = None
