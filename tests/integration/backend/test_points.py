"""Long graphs against a real MongoDB: sealed without losing or doubling a point, read whole, in part and live."""

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend.contracts.reports import Series
from backend.domain.series_fold import SeriesFold
from backend.services.point_sealing import PointSealing
from backend.services.series_service import SeriesService
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.stores.mongo.run_point_store import RunPointStore
from backend.stores.mongo.run_store import RunStore
from backend.wiring import Connections, Services
from tests.integration.uploads import zip_of

FILE = "7-0.jsonl"
COUNT = 20_000
Batch = tuple[int, bytes]


@pytest.fixture
def run_id(api: TestClient) -> str:
    project = api.post("/api/projects", json={"name": "P"}).json()
    api.put(f"/api/projects/{project['id']}/code", content=zip_of({"train.py": b"pass"}))
    return str(api.post("/api/runs", json={"project_id": project["id"], "kind": "train"}).json()["id"])


@pytest.fixture
def store(connections: Connections) -> RunPointStore:
    return RunPointStore(connections.database)


@pytest.fixture
def sealing(connections: Connections, store: RunPointStore) -> PointSealing:
    return PointSealing(store, RunCursorStore(connections.database))


def restarted(connections: Connections) -> SeriesService:
    """What an API that has just started knows."""
    database = connections.database
    return SeriesService(RunStore(database), RunCursorStore(database), RunPointStore(database))


def value_of(i: int) -> float:
    return math.sin(i / 500) + (50 if i % 3_777 == 1_234 else 0)


def batches(
    count: int, size: int, start: int = 0, name: str = "loss", growing: str = "i", repeating: str = "e"
) -> list[Batch]:
    """(offset, content) of the batches in which `count` points come; one of their numbers grows by one a point."""
    found, offset = [], 0
    for first in range(start, start + count, size):
        lines = (
            {"k": "point", "t": i / 10, "s": i, "name": name, "v": value_of(i), "e": 0, "i": 0}
            | {repeating: i // 100, growing: i}
            for i in range(first, min(first + size, start + count))
        )
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        found.append((offset, content))
        offset += len(content)
    return found


def send(services: Services, run_id: str, found: list[Batch], file: str = FILE) -> int:
    for offset, content in found:
        services.run.agents.events(run_id, file, offset, content)
    return sum(len(content) for _, content in found)


def documents(connections: Connections, collection: str, run_id: str) -> int:
    return connections.database[collection].count_documents({"run_id": run_id})


def shown(service: SeriesService, run_id: str, **query: Any) -> Series:
    reply = service.points(run_id, None, query.pop("max_points", 100_000), **query)
    assert reply is not None
    (series,) = reply.series
    return series


def test_a_long_series_lies_in_few_documents_and_is_read_whole(
    services: Services, connections: Connections, run_id: str, api: TestClient
) -> None:
    send(services, run_id, batches(COUNT, 37))
    assert documents(connections, "run_point_blocks", run_id) + documents(connections, "run_points", run_id) < 300
    for service in (services.run.series, restarted(connections)):
        whole = shown(service, run_id)
        assert whole.is_exact and whole.iters == tuple(range(COUNT))
        assert whole.values == tuple(value_of(i) for i in range(COUNT))
        overview = shown(service, run_id, max_points=1000)
        assert len(overview.values) <= 1000 and not overview.is_exact and overview.total == COUNT
        assert {i for i in range(COUNT) if i % 3_777 == 1_234} <= set(overview.steps)
    (series,) = api.get(f"/api/runs/{run_id}/series").json()
    values = np.array([value_of(i) for i in range(COUNT)])
    stats = series["stats"]
    assert (series["name"], stats["count"], stats["special_count"]) == ("loss", COUNT, 0)
    assert (stats["min"], stats["max"], stats["last"]) == (values.min(), values.max(), values[-1])
    assert (stats["min_step"], stats["max_step"]) == (values.argmin(), values.argmax())
    np.testing.assert_allclose([stats["mean"], stats["std"]], [values.mean(), values.std()])


def test_a_live_page_and_a_restarted_backend_see_the_same(
    services: Services, connections: Connections, run_id: str
) -> None:
    for offset, content in batches(9_000, 100):
        services.run.agents.events(run_id, FILE, offset, content)
        services.run.series.points(run_id, None, 1000)
    live, cold = (s.summaries(run_id)[0].stats for s in (services.run.series, restarted(connections)))
    assert live.model_dump(exclude={"mean", "std"}) == cold.model_dump(exclude={"mean", "std"})
    np.testing.assert_allclose([live.mean, live.std], [cold.mean, cold.std], rtol=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0, 99), (8_150, 8_250), (19_850, 19_999), (-5, 3), (12_345, 12_345)])
@pytest.mark.parametrize("axis", ["iter", "epoch", "pos"])
def test_a_range_that_fits_is_exact(
    services: Services, connections: Connections, run_id: str, low: int, high: int, axis: str
) -> None:
    names = {"iter": ("i", "e"), "epoch": ("e", "i"), "pos": ("?", "e")}[axis]
    send(services, run_id, batches(COUNT, 500, growing=names[0], repeating=names[1]))
    part = shown(services.run.series, run_id, max_points=200, from_step=low, to_step=high)
    expected = range(max(low, 0), min(high, COUNT - 1) + 1)
    assert part.is_exact and part.steps == tuple(expected)
    assert part.values == tuple(value_of(i) for i in expected)
    assert part.total == COUNT and part.stats.count == COUNT


def test_a_range_that_does_not_fit_keeps_its_spikes_and_an_empty_one_is_empty(services: Services, run_id: str) -> None:
    send(services, run_id, batches(COUNT, 500))
    part = shown(services.run.series, run_id, max_points=100, from_step=4_000, to_step=15_000)
    assert len(part.values) <= 100 and not part.is_exact
    assert part.steps[0] == 4_000 and part.steps[-1] == 15_000
    assert {i for i in range(4_000, 15_000) if i % 3_777 == 1_234} <= set(part.steps)
    assert shown(services.run.series, run_id, from_step=COUNT, to_step=COUNT + 50).values == ()


def test_a_range_over_the_files_of_a_restarted_script(services: Services, run_id: str) -> None:
    send(services, run_id, batches(6_000, 500, growing="?"), file="1-0.jsonl")
    send(services, run_id, batches(6_000, 500, start=6_000, growing="?"), file="2-0.jsonl")
    part = shown(services.run.series, run_id, max_points=500, from_step=5_900, to_step=6_099)
    assert part.steps == tuple(range(5_900, 6_100)) and part.values == tuple(value_of(i) for i in range(5_900, 6_100))


def test_only_the_graphs_asked_for_are_sent(services: Services, run_id: str, api: TestClient) -> None:
    send(services, run_id, batches(10, 10, name="a/b c"), file="1-0.jsonl")
    send(services, run_id, batches(10, 10, name="other"), file="2-0.jsonl")
    reply = api.get(f"/api/runs/{run_id}/points", params={"series": ["a/b c"], "from_step": 3, "to_step": 4}).json()
    assert [(s["name"], s["steps"]) for s in reply["series"]] == [("a/b c", [3, 4])]


@pytest.mark.parametrize("died_after", ["put_block", "put_fold", "drop_covered"])
def test_sealing_that_died_at_any_step_loses_and_doubles_nothing(
    services: Services,
    connections: Connections,
    store: RunPointStore,
    sealing: PointSealing,
    run_id: str,
    died_after: str,
) -> None:
    first = batches(900, 30)  # below what is sealed by itself
    end = send(services, run_id, first)
    warm = restarted(connections)
    assert shown(warm, run_id).total == 900

    fold = SeriesFold()
    sealed = store.put_block(run_id, FILE, "loss", fold, end)
    assert sealed is not None
    if died_after != "put_block":
        fold.add(sealed[0])
        fold.upto = sealed[1]
        assert store.put_fold(run_id, FILE, "loss", fold)
    if died_after == "drop_covered":
        store.drop_covered(run_id, FILE, "loss", fold.upto)
    for service in (warm, restarted(connections)):
        assert shown(service, run_id).iters == tuple(range(900))

    # A sender that was held up writes its batch once more; then more points come and sealing is done again.
    late = connections.database["run_points"]
    late.update_one(
        {"_id": f"{run_id}:{FILE}:0:loss"},
        {"$setOnInsert": {"run_id": run_id, "file": FILE, "series": "loss", "offset": 0, "count": 1, "infos": []}
         | {name: np.zeros(1).tobytes() for name in ("values", "times", "epochs", "iters")}},
        upsert=True,
    )  # fmt: skip
    for offset, content in batches(300, 30, start=900):
        services.run.agents.events(run_id, FILE, end + offset, content)
    sealing.seal_all(run_id)
    sealing.seal_all(run_id)
    assert documents(connections, "run_points", run_id) == 0
    for service in (warm, restarted(connections)):
        assert shown(service, run_id).iters == tuple(range(1200))
        part = shown(service, run_id, max_points=50, from_step=890, to_step=910)
        assert part.iters == tuple(range(890, 911))


def test_a_slow_backend_can_not_put_an_old_fold_over_a_newer_one(store: RunPointStore, run_id: str) -> None:
    assert store.put_fold(run_id, FILE, "loss", SeriesFold(upto=500))
    assert not store.put_fold(run_id, FILE, "loss", SeriesFold(upto=300))
    assert store.fold(run_id, FILE, "loss").upto == 500


def test_backends_that_seal_while_others_write_and_read(
    services: Services, connections: Connections, store: RunPointStore, sealing: PointSealing, run_id: str
) -> None:
    is_sent = threading.Event()

    def write() -> None:
        try:
            send(services, run_id, batches(6_000, 20))
        finally:
            is_sent.set()

    def seal() -> None:
        while not is_sent.is_set():
            sealing.seal_all(run_id)

    def read() -> None:
        warm = restarted(connections)
        while not is_sent.is_set():
            for service in (warm, restarted(connections)):
                reply = service.points(run_id, None, 100_000)
                assert reply is not None
                for series in reply.series:
                    assert series.total >= reply.version
                    assert series.iters == tuple(range(len(series.iters)))

    with ThreadPoolExecutor(5) as pool:
        for work in [pool.submit(job) for job in (write, seal, seal, read, read)]:
            work.result()
    assert shown(restarted(connections), run_id).iters == tuple(range(6_000))


def test_runs_that_nobody_looks_at_are_forgotten(
    services: Services, connections: Connections, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.services.series_service.MAX_KEPT_ROWS", 100)
    service = restarted(connections)
    send(services, run_id, batches(200, 200))
    shown(service, run_id)
    service.points(run_id, None, 1000)
    assert list(service._held) == [run_id]
    other = connections.database["runs"].find_one({"_id": {"$ne": run_id}}, {"_id": 1})
    assert other is not None
    service.points(other["_id"], None, 1000)
    assert list(service._held) == [other["_id"]]
