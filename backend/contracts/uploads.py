"""Uploads in pieces: a file of any size comes in chunks, may be interrupted and goes on where it stopped."""

from typing import Literal

from pydantic import Field

from backend.contracts.base import Contract

UploadPurpose = Literal["dataset", "code"]


class UploadCreate(Contract):
    """Announce a file. It is refused at once when it is too large or the disk has no room for it."""

    purpose: UploadPurpose
    size_bytes: int = Field(ge=1)


class Upload(Contract):
    """A file that is being received; the next chunk begins at `received_bytes` and has at most `chunk_bytes`."""

    id: str
    purpose: UploadPurpose
    size_bytes: int
    received_bytes: int
    chunk_bytes: int
