"""Filters, updates and orders of documents as MongoDB understands them, as far as the workstation offers them.

A script that runs alone has no MongoDB; tests hold this file and a real one against each other.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from PlatformAPI.errors import StoreError

FIELD_OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not")
LOGICAL_OPERATORS = ("$and", "$or", "$nor")
UPDATE_OPERATORS = ("$set", "$unset", "$inc", "$push", "$addToSet", "$pull")
MAX_PATH_PARTS = 16
MAX_DEPTH = 32
_MISSING = object()
Json = dict[str, Any]


def matches(document: Json, asked: Json) -> bool:
    """Whether a document, `_id` included, fits a filter. Raises StoreError for a filter that is not understood."""
    # A list: a fault behind the first mismatch must be found too.
    found = [_holds(document, key, value) for key, value in asked.items()]
    return all(found)


def _holds(document: Json, key: str, value: Any) -> bool:
    if key in LOGICAL_OPERATORS:
        if not isinstance(value, list) or not value or not all(isinstance(part, dict) for part in value):
            raise StoreError("filter_invalid", f"{key} takes a list of filters")
        found = [matches(document, part) for part in value]
        return all(found) if key == "$and" else any(found) if key == "$or" else not any(found)
    if key.startswith("$"):
        raise _unknown(key, LOGICAL_OPERATORS)
    values = list(_values_at(document, _parts(key)))
    if not isinstance(value, dict) or not any(name.startswith("$") for name in value):
        check_value(value)
        return _is_equal_to_any(values, value)
    return _fits(values, value)


def _fits(values: list[Any], operators: Json) -> bool:
    found = [_fits_one(values, operator, operand) for operator, operand in operators.items()]
    return all(found)


def _fits_one(values: list[Any], operator: str, operand: Any) -> bool:
    if operator not in FIELD_OPERATORS:
        raise _unknown(operator, FIELD_OPERATORS)
    if operator != "$not":
        check_value(operand)
    if operator in ("$eq", "$ne"):
        return _is_equal_to_any(values, operand) is (operator == "$eq")
    if operator in ("$in", "$nin"):
        if not isinstance(operand, list):
            raise StoreError("filter_invalid", f"{operator} takes a list of values")
        return any(_is_equal_to_any(values, choice) for choice in operand) is (operator == "$in")
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise StoreError("filter_invalid", "$exists takes True or False")
        return any(value is not _MISSING for value in values) is operand
    if operator == "$not":
        if not isinstance(operand, dict) or not operand or not all(name.startswith("$") for name in operand):
            raise StoreError("filter_invalid", "$not takes an object of operators")
        return not _fits(values, operand)
    if not _is_number(operand) and not isinstance(operand, str):
        raise StoreError("filter_invalid", f"{operator} takes a number or a text")
    return any(_is_ordered(value, operator, operand) for value in values)


def _is_ordered(value: Any, operator: str, operand: Any) -> bool:
    if _rank(value) != _rank(operand):
        return False
    if operator == "$gt":
        return bool(value > operand)
    if operator == "$gte":
        return bool(value >= operand)
    return bool(value < operand) if operator == "$lt" else bool(value <= operand)


def _values_at(value: Any, parts: list[str]) -> Iterator[Any]:
    """What a path leads to: the value and, of a list, its elements too; lists on the way are looked into."""
    if not parts:
        yield value
        if isinstance(value, list):
            yield from value
    elif isinstance(value, dict):
        if parts[0] in value:
            yield from _values_at(value[parts[0]], parts[1:])
        else:
            yield _MISSING
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, dict):
                yield from _values_at(element, parts)
    else:
        yield _MISSING


def _is_equal_to_any(values: list[Any], wanted: Any) -> bool:
    return any(is_same(value, wanted) or (wanted is None and value is _MISSING) for value in values)


def is_same(first: Any, second: Any) -> bool:
    """Equality of MongoDB: 1 is 1.0 but not True, and the order of fields counts."""
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(is_same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(is_same, first, second))
    return _rank(first) == _rank(second) and bool(first == second)


def ordered(documents: list[Json], sort: list[tuple[str, int]]) -> list[Json]:
    """By `sort`, then by `_id`. Of a list the smallest or the largest element counts, as the direction says."""
    found = sorted(documents, key=lambda document: str(document["_id"]))
    for path, way in reversed(sort):
        parts = _parts(path)
        found.sort(key=lambda document: _place(document, parts, way), reverse=way < 0)  # used at once
    return found


def _place(document: Json, parts: list[str], way: int) -> tuple[Any, ...]:
    values = []
    for value in _leaves_at(document, parts):
        if isinstance(value, list):
            values += [_weight(element) for element in value] or [(-1,)]
        else:
            values.append(_weight(value))
    return (min if way > 0 else max)(values, default=_weight(_MISSING))


def _leaves_at(value: Any, parts: list[str]) -> Iterator[Any]:
    if not parts:
        yield value
    elif isinstance(value, dict):
        yield from _leaves_at(value.get(parts[0], _MISSING), parts[1:])
    elif isinstance(value, list):
        for element in value:
            yield from _leaves_at(element, parts) if isinstance(element, dict) else ()
    else:
        yield _MISSING


def _weight(value: Any) -> tuple[Any, ...]:
    rank = _rank(value)
    return (rank, value) if rank in (1, 2, 5) else (rank, repr(value)) if rank in (3, 4) else (rank,)


def _rank(value: Any) -> int:
    if value is None or value is _MISSING:
        return 0  # MongoDB orders a missing field like null.
    if isinstance(value, bool):
        return 5
    if isinstance(value, int | float):
        return 1
    return 2 if isinstance(value, str) else 3 if isinstance(value, dict) else 4


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_update(update: Json) -> list[tuple[str, str, Any]]:
    """The steps (path, operator, value) of an update, ordered. Raises StoreError for one that is not understood."""
    steps = []
    for operator, fields in update.items():
        if operator not in UPDATE_OPERATORS:
            raise _unknown(operator, UPDATE_OPERATORS)
        if not isinstance(fields, dict) or not fields:
            raise StoreError("update_refused", f"{operator} takes an object of fields")
        for value in fields.values():
            check_value(value["$each"] if isinstance(value, dict) and "$each" in value else value)
        steps += [(path, operator, value) for path, value in fields.items()]
    if not steps:
        raise StoreError("update_refused", "the update changes nothing")
    paths = sorted(_parts(path) for path, _, _ in steps)
    if any(second[: len(first)] == first for first, second in pairwise(paths)):
        raise StoreError("update_refused", "the update changes a field twice")
    if any(path == "_id" for path, _, _ in steps):
        raise StoreError("update_refused", "_id can not be changed")
    return sorted(steps, key=lambda step: _parts(step[0]))


def updated(document: Json, update: Json) -> Json:
    """A changed copy. Raises StoreError for an update that does not fit the document."""
    import copy

    changed = copy.deepcopy(document)
    for path, operator, value in check_update(update):
        _change(changed, path, operator, value)
    return changed


def _change(document: Json, path: str, operator: str, value: Any) -> None:
    *way, name = _parts(path)
    holder: Any = document
    for part in way:
        if isinstance(holder, dict) and part not in holder:
            if operator in ("$unset", "$pull"):
                return
            holder[part] = {}
        holder = holder[part] if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        if operator == "$unset":
            return
        raise StoreError("update_refused", f"{path}: the path leads through something that is no object")
    if operator == "$set":
        holder[name] = value
    elif operator == "$unset":
        holder.pop(name, None)
    elif operator == "$inc":
        holder[name] = _sum(path, holder.get(name, _MISSING), value)
    elif operator == "$pull":
        _pull(path, holder, name, value)
    else:
        _append(path, holder, name, value, is_set=operator == "$addToSet")


def _sum(path: str, old: Any, by: Any) -> Any:
    if not _is_number(by):
        raise StoreError("update_refused", "$inc takes numbers")
    if old is not _MISSING and not _is_number(old):
        raise StoreError("update_refused", f"$inc: {path} holds {old!r}, which is no number")
    total = by if old is _MISSING else old + by
    if isinstance(total, int) and not -(2**63) <= total < 2**63:
        raise StoreError("update_refused", f"$inc: {path} would be over 64 bits")
    if isinstance(total, float) and not math.isfinite(total):
        raise StoreError("update_refused", f"$inc: {path} would be no finite number")
    return total


def _append(path: str, holder: Json, name: str, value: Any, is_set: bool) -> None:
    is_many = isinstance(value, dict) and "$each" in value
    if is_many and (set(value) != {"$each"} or not isinstance(value["$each"], list)):
        raise StoreError("update_refused", "$each takes a list and stands alone")
    target = holder.setdefault(name, [])
    if not isinstance(target, list):
        raise StoreError("update_refused", f"{path} holds no list")
    for element in value["$each"] if is_many else [value]:
        if not is_set or not any(is_same(element, known) for known in target):
            target.append(element)


def _pull(path: str, holder: Json, name: str, value: Any) -> None:
    if isinstance(value, dict):
        raise StoreError("update_refused", "$pull takes a single value, no object")
    if name not in holder:
        return
    if not isinstance(holder[name], list):
        raise StoreError("update_refused", f"{path} holds no list")
    holder[name] = [element for element in holder[name] if not is_same(element, value)]


def check_value(value: Any, depth: int = MAX_DEPTH) -> None:
    """Raise StoreError for what can not be stored or asked for."""
    if isinstance(value, dict | list) and depth == 0:
        raise StoreError("document_invalid", f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key or key.startswith("$") or "." in key or "\0" in key:
                raise StoreError("document_invalid", f"a field can not be named {key!r}")
            check_value(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            check_value(inner, depth - 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise StoreError("document_invalid", "a whole number is over 64 bits")


def _parts(path: str) -> list[str]:
    parts = path.split(".")
    if len(parts) > MAX_PATH_PARTS or any(not part or part.startswith("$") or part.isdecimal() for part in parts):
        text = f"{path!r} is no path of fields: a part can not be empty, begin with '$' or be a number"
        raise StoreError("field_path_invalid", text)
    return parts


def _unknown(operator: str, known: tuple[str, ...]) -> StoreError:
    return StoreError("operator_not_allowed", f"{operator} is not available; available here: {', '.join(known)}")
