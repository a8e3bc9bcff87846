"""What is checked before a call leaves the script, alike inside the workstation and alone."""

import json
import re
from collections.abc import Mapping
from typing import Any

from PlatformAPI.errors import StoreError, WrongArgumentError

_COLLECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def packed(body: Mapping[str, Any], about: str) -> bytes:
    """The call as JSON. Raises WrongArgumentError for what JSON can not hold."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongArgumentError(f"{about}: {error}; values are JSON: texts, finite numbers, lists, objects") from error


def unpacked(content: bytes) -> dict[str, Any]:
    """The call as it would arrive: tuples are lists, keys are texts."""
    body: dict[str, Any] = json.loads(content)
    return body


def checked_collection(name: str) -> str:
    """The name of a collection. Raises StoreError."""
    if not isinstance(name, str) or not _COLLECTION.fullmatch(name):
        text = f"{name!r} can not name a collection: use 1 to 64 Latin letters, digits, '_', '-' and '.'"
        raise StoreError("collection_name_invalid", text)
    return name
