"""Takes numbers as frameworks give them: Python, NumPy scalars, 0-d tensors, nested sequences. Imports no framework."""

import math
import operator
from collections.abc import Mapping
from typing import Any

from PlatformAPI.errors import WrongArgumentError

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def float_from(value: Any, about: str) -> float:
    """A Python float from a number, a NumPy scalar or a tensor of one element; NaN and infinity pass.

    Raises WrongArgumentError naming `about` and the value.
    """
    number = value
    try:
        if hasattr(number, "item"):
            number = number.item()
        if hasattr(number, "__float__"):
            return float(number)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise WrongArgumentError(f"{about} is {_shown(value)}, which is not one number: {error}") from error
    raise WrongArgumentError(f"{about} is {_shown(value)}, which is not a number")


def finite_from(value: Any, about: str) -> float:
    """Like `float_from`, but NaN and infinity raise too."""
    number = float_from(value, about)
    if not math.isfinite(number):
        raise WrongArgumentError(f"{about} is {number}, a finite number is needed")
    return number


def int32_from(value: Any, about: str) -> int:
    """A Python int within 32 bits from any integer type. Raises WrongArgumentError naming `about` and the value."""
    try:
        number = operator.index(value)
    except (TypeError, RuntimeError) as error:
        raise WrongArgumentError(f"{about} is {_shown(value)}, which is not an integer") from error
    if isinstance(value, bool) or not INT32_MIN <= number <= INT32_MAX:
        raise WrongArgumentError(f"{about} is {_shown(value)}, an integer within 32 bits is needed")
    return number


def plain_value(value: Any) -> Any:
    """A value the JSON encoder knows, from a NumPy or torch value. Raises TypeError for anything else."""
    # tolist first: item() of an array with several elements raises; item() serves pandas scalars.
    for method in ("tolist", "item", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def list_from(values: Any, about: str) -> list[Any]:
    """A list from a sequence, an array, a tensor or a pandas column. Raises WrongArgumentError naming `about`."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__"):
        raise WrongArgumentError(f"{about} is {_shown(values)}, a sequence is needed")
    return list(values)


def names_from(values: Any, about: str) -> list[str]:
    """A list of labels as text."""
    return [str(value) for value in list_from(values, about)]


def rows_from(values: Any, about: str) -> list[list[float]]:
    """A rectangular list of rows of floats from nested sequences, an array or a tensor."""
    rows = [
        [float_from(cell, f"{about}[{i}][{j}]") for j, cell in enumerate(list_from(row, f"{about}[{i}]"))]
        for i, row in enumerate(list_from(values, about))
    ]
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise WrongArgumentError(f"{about}: row {i} has {len(row)} values, row 0 has {len(rows[0])}")
    return rows


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text[:80]}… ({type(value).__name__})" if len(text) > 80 else f"{text} ({type(value).__name__})"
