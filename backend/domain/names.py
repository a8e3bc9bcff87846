"""What a name that a user gives may look like."""

from backend.domain.errors import InvalidInputError

MAX_LENGTH = 200


def checked_name(name: str) -> str:
    """The name without outer spaces. Raises InvalidInputError: empty, over 200 characters, or not printable."""
    stripped = name.strip()
    if not stripped or len(stripped) > MAX_LENGTH or not stripped.isprintable():
        raise InvalidInputError("name_invalid", name=ascii(stripped[:60])[1:-1], limit=MAX_LENGTH)
    return stripped
