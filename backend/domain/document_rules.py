"""What scripts may store in documents and ask of them: an allow-list, so nothing that MongoDB learns later slips in.

PlatformAPI/local_documents.py does the same without a server; tests hold the two against each other.
"""

import math
import re
from typing import Any

from backend.domain.errors import InvalidInputError, TooLargeError
from backend.domain.event_lines import MAX_DEPTH, check_depth

COMPARISONS = ("$gt", "$gte", "$lt", "$lte")
FIELD_OPERATORS = ("$eq", "$ne", *COMPARISONS, "$in", "$nin", "$exists", "$not")
LOGICAL_OPERATORS = ("$and", "$or", "$nor")
UPDATE_OPERATORS = ("$set", "$unset", "$inc", "$push", "$addToSet", "$pull")
MAX_DOCUMENT_BYTES = 1 << 20
MAX_CONDITIONS = 200
MAX_CHOICES = 1000
MAX_FILTER_DEPTH = 8
MAX_PATH_PARTS = 16
MAX_ID_CHARS = 200
_COLLECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_INT64 = range(-(2**63), 2**63)
Json = dict[str, Any]


def checked_collection(name: str) -> str:
    """The name of a collection. Raises InvalidInputError."""
    if not _COLLECTION.fullmatch(name):
        raise InvalidInputError("collection_name_invalid", name=ascii(name[:80])[1:-1])
    return name


def checked_document(document: Json) -> tuple[str | None, Json]:
    """`_id`, None where there is none, and the rest. Raises InvalidInputError for what can not be stored."""
    body = {key: value for key, value in document.items() if key != "_id"}
    _check_value(body)
    return (_checked_id(document["_id"]) if "_id" in document else None), body


def mongo_filter(asked: Json, body: str = "body", document_id: str = "document_id") -> Json:
    """The filter as it is sent to MongoDB: fields lie below `body`, `_id` is `document_id`.

    Raises InvalidInputError('operator_not_allowed' or 'filter_invalid').
    """
    return _FilterReader(body, document_id).conditions(asked, MAX_FILTER_DEPTH)


def mongo_update(asked: Json, body: str = "body") -> Json:
    """The update as it is sent to MongoDB. Raises InvalidInputError('operator_not_allowed' or 'update_refused')."""
    if not asked:
        raise InvalidInputError("update_refused", detail="it changes nothing")
    changes: Json = {}
    for operator, fields in asked.items():
        if operator not in UPDATE_OPERATORS:
            raise InvalidInputError(
                "operator_not_allowed", operator=_shown(operator), known=", ".join(UPDATE_OPERATORS)
            )
        if not isinstance(fields, dict) or not fields:
            raise InvalidInputError("update_refused", detail=f"{operator} takes an object of fields")
        for path, value in fields.items():
            if path == "_id":
                raise InvalidInputError("update_refused", detail="_id can not be changed")
            _check_operand(operator, value)
        changes[operator] = {f"{body}.{_checked_path(path)}": value for path, value in fields.items()}
    return changes


def mongo_sort(asked: tuple[tuple[str, int], ...], body: str = "body", document_id: str = "document_id") -> list[Any]:
    """The order as it is sent to MongoDB, made total by the id."""
    fields = [(document_id if path == "_id" else f"{body}.{_checked_path(path)}", way) for path, way in asked]
    return fields if any(name == document_id for name, _ in fields) else [*fields, (document_id, 1)]


def is_equalities_only(asked: Json) -> bool:
    """Whether a filter only names fields and values: then a missing document can be made of it."""
    return all(
        not key.startswith("$") and not (isinstance(value, dict) and any(k.startswith("$") for k in value))
        for key, value in asked.items()
    )


def check_document_size(size_bytes: int) -> None:
    """Raise TooLargeError for a document over the limit."""
    if size_bytes > MAX_DOCUMENT_BYTES:
        raise TooLargeError("document_too_large", limit_kb=MAX_DOCUMENT_BYTES >> 10)


class _FilterReader:
    """One filter; counts its conditions."""

    def __init__(self, body: str, document_id: str) -> None:
        self._body = body
        self._document_id = document_id
        self._count = 0

    def conditions(self, asked: Any, depth: int) -> Json:
        if not isinstance(asked, dict):
            raise InvalidInputError("filter_invalid", detail=f"an object is expected, not {_shown(asked)}")
        if depth == 0:
            raise InvalidInputError("filter_invalid", detail=f"nested deeper than {MAX_FILTER_DEPTH}")
        found: Json = {}
        for key, value in asked.items():
            self._count += 1
            if self._count > MAX_CONDITIONS:
                raise InvalidInputError("filter_invalid", detail=f"more than {MAX_CONDITIONS} conditions")
            if key in LOGICAL_OPERATORS:
                if not isinstance(value, list) or not value:
                    raise InvalidInputError("filter_invalid", detail=f"{key} takes a list of filters")
                found[key] = [self.conditions(part, depth - 1) for part in value]
            elif key.startswith("$"):
                raise _unknown(key, LOGICAL_OPERATORS)
            else:
                name = self._document_id if key == "_id" else f"{self._body}.{_checked_path(key)}"
                found[name] = self._condition(value, depth - 1)
        return found

    def _condition(self, value: Any, depth: int) -> Any:
        if not isinstance(value, dict) or not any(key.startswith("$") for key in value):
            _check_value(value)
            return {"$eq": value}
        if depth == 0:
            raise InvalidInputError("filter_invalid", detail=f"nested deeper than {MAX_FILTER_DEPTH}")
        return {operator: self._operand(operator, operand, depth) for operator, operand in value.items()}

    def _operand(self, operator: str, operand: Any, depth: int) -> Any:
        self._count += 1
        if operator not in FIELD_OPERATORS:
            raise _unknown(operator, FIELD_OPERATORS)
        if operator == "$not":
            if not isinstance(operand, dict) or not operand or not all(key.startswith("$") for key in operand):
                raise InvalidInputError("filter_invalid", detail="$not takes an object of operators")
            return self._condition(operand, depth - 1)
        if operator == "$exists" and not isinstance(operand, bool):
            raise InvalidInputError("filter_invalid", detail="$exists takes true or false")
        if operator in ("$in", "$nin") and (not isinstance(operand, list) or len(operand) > MAX_CHOICES):
            raise InvalidInputError("filter_invalid", detail=f"{operator} takes a list of at most {MAX_CHOICES} values")
        # Other types are ordered in ways that nobody expects.
        if operator in COMPARISONS and (isinstance(operand, bool) or not isinstance(operand, int | float | str)):
            raise InvalidInputError("filter_invalid", detail=f"{operator} takes a number or a text")
        _check_value(operand)
        return operand


def _check_operand(operator: str, value: Any) -> None:
    if operator == "$inc" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise InvalidInputError("update_refused", detail="$inc takes numbers")
    if operator in ("$push", "$addToSet") and isinstance(value, dict) and "$each" in value:
        if set(value) != {"$each"} or not isinstance(value["$each"], list):
            raise InvalidInputError("update_refused", detail=f"$each of {operator} takes a list and stands alone")
        value = value["$each"]
    if operator == "$pull" and isinstance(value, dict):
        # MongoDB would read it as a filter.
        raise InvalidInputError("update_refused", detail="$pull takes a single value, no object")
    _check_value(value)


def _check_value(value: Any) -> None:
    try:
        check_depth(value)
    except ValueError:
        raise InvalidInputError("document_invalid", detail=f"nested deeper than {MAX_DEPTH}") from None
    _check_leaves(value)


def _check_leaves(value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key or key.startswith("$") or "." in key or "\0" in key:
                raise InvalidInputError("document_invalid", detail=f"a field can not be named {_shown(key)}")
            _check_leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_leaves(inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError("document_invalid", detail=f"{value} is no JSON number")
    elif isinstance(value, int) and value not in _INT64:
        raise InvalidInputError("document_invalid", detail="a whole number is over 64 bits")


def _checked_path(path: str) -> str:
    parts = path.split(".")
    # A number would be a place in a list, and one far behind its end would fill the list up to there.
    if len(parts) > MAX_PATH_PARTS or any(
        not part or part.startswith("$") or "\0" in part or part.isdecimal() for part in parts
    ):
        raise InvalidInputError("field_path_invalid", path=_shown(path))
    return path


def _checked_id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS or "\0" in value:
        raise InvalidInputError("document_id_invalid", id=_shown(value), limit=MAX_ID_CHARS)
    return value


def _unknown(operator: str, known: tuple[str, ...]) -> InvalidInputError:
    return InvalidInputError("operator_not_allowed", operator=_shown(operator), known=", ".join(known))


def _shown(value: Any) -> str:
    return ascii(value)[:80].strip("'")
