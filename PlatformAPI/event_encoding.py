"""Events as lines of JSON. Importing this loads msgspec (40 ms): at the first call, not before."""

from typing import Any

import msgspec

from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.numbers_in import plain_value

MAX_LINE_BYTES = 12 * 2**20
ENCODE_ERRORS = (TypeError, ValueError, RuntimeError, RecursionError, OverflowError, msgspec.MsgspecError)

encode = msgspec.json.Encoder(enc_hook=plain_value).encode


class Point(msgspec.Struct, tag_field="k", tag="point", omit_defaults=True, gc=False):
    """A `point` event, in the order of docs/run-folder.md. The encoder writes NaN and infinity in `v` as null."""

    t: float
    s: int
    name: str
    v: float
    e: int
    i: int
    special: str | None = None
    info: Any = None


def encoded_line(event: Any, about: str) -> bytes:
    """An event as one line of JSON with its newline. Raises WrongArgumentError naming `about`."""
    try:
        line = encode(event) + b"\n"
    except ENCODE_ERRORS as error:
        raise WrongArgumentError(f"{about}: a value cannot be written as JSON: {error}") from error
    check_line_length(line, about)
    return line


def check_line_length(line: bytes, about: str) -> None:
    """Raises WrongArgumentError naming `about` if the line is longer than readers accept."""
    if len(line) > MAX_LINE_BYTES:
        raise WrongArgumentError(
            f"{about}: {len(line) / 2**20:.1f} MiB in one event, the limit is {MAX_LINE_BYTES // 2**20} MiB; "
            "save it as a file with save_artifact instead"
        )
