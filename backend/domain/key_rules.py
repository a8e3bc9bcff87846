"""What scripts may keep under keys."""

import json
import math
from typing import Any

from backend.domain.errors import InvalidInputError, TooLargeError
from backend.domain.event_lines import MAX_DEPTH, check_depth

MAX_KEY_CHARS = 200
MAX_VALUE_BYTES = 1 << 20
MAX_TTL_S = 30 * 24 * 3600


def checked_key(key: str) -> str:
    """The key. Raises InvalidInputError('key_invalid')."""
    if not 0 < len(key) <= MAX_KEY_CHARS or not key.isprintable():
        raise InvalidInputError("key_invalid", key=ascii(key[:80])[1:-1], limit=MAX_KEY_CHARS)
    return key


def ttl_ms(ttl_s: float | None) -> int:
    """Milliseconds to live; the longest time for None. Raises InvalidInputError('ttl_invalid')."""
    if ttl_s is None:
        return MAX_TTL_S * 1000
    if not math.isfinite(ttl_s) or not 0.001 <= ttl_s <= MAX_TTL_S:
        raise InvalidInputError("ttl_invalid", ttl_s=ttl_s if math.isfinite(ttl_s) else str(ttl_s), limit_s=MAX_TTL_S)
    return int(ttl_s * 1000)


def packed_value(value: Any) -> bytes:
    """The value as JSON. Raises InvalidInputError or TooLargeError."""
    try:
        check_depth(value)
        packed = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        detail = f"not JSON, or nested deeper than {MAX_DEPTH}"
        raise InvalidInputError("key_value_invalid", detail=detail) from None
    if len(packed) > MAX_VALUE_BYTES:
        raise TooLargeError("key_value_too_large", limit_kb=MAX_VALUE_BYTES >> 10)
    return packed
