"""A script gets the same answers alone (SQLite and our matching) as in the workstation (a real MongoDB)."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.contracts.project_data import (
    DocumentCount,
    DocumentDelete,
    DocumentFind,
    DocumentInsert,
    DocumentReplace,
    DocumentUpdate,
)
from backend.domain.errors import ArmError
from backend.wiring import Services
from PlatformAPI.errors import StoreError
from PlatformAPI.local_documents import LocalDocuments

MODELS = {
    "insert": DocumentInsert,
    "find": DocumentFind,
    "count": DocumentCount,
    "update": DocumentUpdate,
    "replace": DocumentReplace,
    "delete": DocumentDelete,
}
DEFAULTS: dict[str, Any] = {"find": {"sort": [], "offset": 0, "limit": 1000}}
_projects = itertools.count()


class Both:
    """The same call on both sides, a fresh project each time."""

    def __init__(self, services: Services, path: Path) -> None:
        self.server = services.project_data.documents
        self.local = LocalDocuments(path)
        self.project = f"agree-{next(_projects)}"

    def ask(self, command: str, **body: Any) -> tuple[Any, Any]:
        body = DEFAULTS.get(command, {}) | body
        try:
            reply = getattr(self.server, command)(self.project, "c", MODELS[command](**body))
            first: Any = reply.model_dump(mode="json")
        except ArmError as error:
            first = error.code
        try:
            second: Any = self.local.ask("c", command, body)
        except StoreError as error:
            second = error.code
        if command in ("count", "delete") and isinstance(first, dict) and isinstance(second, dict):
            first, second = first["count"], second["count"]
        if command in ("update", "replace") and isinstance(first, dict) and isinstance(second, dict):
            # Ids that are made up differ.
            first, second = (first["count"], len(first["ids"])), (second["count"], len(second["ids"]))
        return first, second


@pytest.fixture
def both(services: Services, tmp_path: Path) -> Both:
    return Both(services, tmp_path / "documents.sqlite3")


scalars = st.sampled_from([None, True, False, 0, 1, 1.0, -2, 2.5, "", "a", "b", "я"])
keys = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=2), max_leaves=5
)
documents = st.lists(st.dictionaries(keys, values, max_size=3), min_size=1, max_size=5)
paths = st.sampled_from(["a", "b", "a.b", "a.b.c", "c.a"])
comparables = st.sampled_from([0, 1, 1.5, "a", "b", ""])
operators = st.one_of(
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$eq", "$ne"]), values),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), comparables),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["$in", "$nin"]), st.lists(values, max_size=3)),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
)
conditions = st.one_of(values, operators, st.builds(lambda o: {"$not": o}, operators))
flat = st.dictionaries(paths, conditions, max_size=2)
filters = st.one_of(
    flat,
    st.builds(lambda o, f: {o: f}, st.sampled_from(["$and", "$or", "$nor"]), st.lists(flat, min_size=1, max_size=2)),
)
steps = st.one_of(
    st.builds(lambda p, v: {"$set": {p: v}}, paths, values),
    st.builds(lambda p: {"$unset": {p: 1}}, paths),
    st.builds(lambda p, v: {"$inc": {p: v}}, paths, st.sampled_from([1, -1, 0.5, 2**62])),
    st.builds(lambda o, p, v: {o: {p: v}}, st.sampled_from(["$push", "$addToSet"]), paths, values),
    st.builds(
        lambda o, p, v: {o: {p: {"$each": v}}},
        st.sampled_from(["$push", "$addToSet"]),
        paths,
        st.lists(values, max_size=3),
    ),
    st.builds(lambda p, v: {"$pull": {p: v}}, paths, values.filter(lambda v: not isinstance(v, dict))),
)
updates = st.one_of(steps, st.builds(lambda a, b: {**a, **b}, steps, steps))
many_examples = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def numbered(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"_id": f"d{number}", **document} for number, document in enumerate(found)]


@many_examples
@given(documents, filters)
def test_filters(services: Services, tmp_path_factory: pytest.TempPathFactory, found: Any, asked: Any) -> None:
    both = Both(services, tmp_path_factory.mktemp("local") / "d.sqlite3")
    both.ask("insert", documents=numbered(found))
    first, second = both.ask("find", filter=asked)
    assert first == second


@many_examples
@given(documents, st.lists(st.tuples(paths, st.sampled_from([1, -1])), min_size=1, max_size=2))
def test_orders_of_simple_values(
    services: Services, tmp_path_factory: pytest.TempPathFactory, found: Any, sort: Any
) -> None:
    both = Both(services, tmp_path_factory.mktemp("local") / "d.sqlite3")
    simple = [{key: value for key, value in d.items() if not isinstance(value, dict | list)} for d in found]
    both.ask("insert", documents=numbered(simple))
    first, second = both.ask("find", filter={}, sort=[list(pair) for pair in sort])
    assert first == second


@many_examples
@given(documents, updates, st.booleans())
def test_updates(
    services: Services, tmp_path_factory: pytest.TempPathFactory, found: Any, update: Any, upsert: bool
) -> None:
    both = Both(services, tmp_path_factory.mktemp("local") / "d.sqlite3")
    both.ask("insert", documents=numbered(found))
    for asked in ({"_id": "d0"}, {"_id": "new", "b": 1}):
        first, second = both.ask("update", filter=asked, update=update, upsert=upsert)
        assert first == second
    first, second = both.ask("find", filter={})
    assert first == second


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("find", {"filter": {"$where": "sleep(1000)"}}),
        ("find", {"filter": {"a": {"$regex": "(a+)+$"}}}),
        ("find", {"filter": {"$expr": {"$function": {"body": "x", "args": [], "lang": "js"}}}}),
        ("find", {"filter": {"a": {"b": {"$gt": 1}}}}),
        ("find", {"filter": {"$or": []}}),
        ("find", {"filter": {"$or": [{"$where": "1"}]}}),
        ("find", {"filter": {"a": {"$not": {"$where": "1"}}}}),
        ("find", {"filter": {"a.0": 1}}),
        ("find", {"filter": {"$project_id": 1}}),
        ("find", {"filter": {"a": {"$gt": [1]}}}),
        ("find", {"filter": {"a": {"$in": 1}}}),
        ("find", {"filter": {}, "sort": [["$a", 1]]}),
        ("update", {"filter": {}, "update": {"$rename": {"a": "b"}}}),
        ("update", {"filter": {}, "update": {"a": 1}}),
        ("update", {"filter": {}, "update": {}}),
        ("update", {"filter": {}, "update": {"$set": {"_id": "x"}}}),
        ("update", {"filter": {}, "update": {"$set": {"a.1500000": 1}}}),
        ("update", {"filter": {}, "update": {"$push": {"a": {"$each": [1], "$slice": -1}}}}),
        ("update", {"filter": {"a": {"$gt": 1}}, "update": {"$set": {"a": 1}}, "upsert": True}),
        ("insert", {"documents": [{"$a": 1}]}),
        ("insert", {"documents": [{"a.b": 1}]}),
        ("insert", {"documents": [{"_id": 5}]}),
        ("insert", {"documents": [{"a": 2**63}]}),
        ("insert", {"documents": [{"a": "x" * (1 << 20)}]}),
        ("replace", {"filter": {"_id": "x"}, "document": {"_id": "y"}}),
    ],
)
def test_the_same_is_refused(both: Both, command: str, body: Any) -> None:
    both.ask("insert", documents=[{"_id": "x", "a": [1]}])
    first, second = both.ask(command, **body)
    assert isinstance(first, str) and first == second


def test_upserts_replacements_and_ids(both: Both) -> None:
    for command, body in (
        ("update", {"filter": {"_id": "k", "a.b": 1}, "update": {"$inc": {"n": 2}}, "upsert": True}),
        ("update", {"filter": {"_id": "k", "a.b": 1}, "update": {"$inc": {"n": 2}}, "upsert": True}),
        ("update", {"filter": {"_id": "k", "a.b": 2}, "update": {"$inc": {"n": 2}}, "upsert": True}),
        ("replace", {"filter": {"_id": "r"}, "document": {"v": 1}, "upsert": True}),
        ("replace", {"filter": {"v": 1}, "document": {"v": 2}, "upsert": True}),
        ("insert", {"documents": [{"_id": "m"}, {"_id": "k"}, {"_id": "z"}]}),
        ("count", {"filter": {}}),
        ("delete", {"filter": {"v": 2}}),
        ("delete", {"filter": {}, "is_many": True}),
    ):
        first, second = both.ask(command, **body)
        assert first == second, body
        first, second = both.ask("find", filter={})
        assert first == second, body
