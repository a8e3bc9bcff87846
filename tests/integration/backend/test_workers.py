"""Claims: the first run of the queue, once, for a slot that is free; the order, the labels, draining; no Redis."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
from fastapi.testclient import TestClient

from backend.contracts.base import Reason
from backend.contracts.runs import RunCreate
from backend.contracts.workers import ClaimRequest, Device, Heartbeat, RunFinished, RunStarted
from backend.domain.errors import NotFoundError
from backend.services.worker_service import MAX_UNPROVEN, WorkerService
from backend.stores.mongo.deleted_run_store import DeletedRunStore
from backend.stores.mongo.run_store import RunStore
from backend.stores.mongo.worker_store import WorkerStore
from backend.stores.redis.wake_ups import WakeUps
from backend.wiring import Connections, Services, utc_now
from tests.integration.uploads import zip_of

CPU = Device(name="cpu", title="CPU", worker="w")
CARD = Device(name="cuda:0", title="Card", worker="w")


def request(*devices: Device, **fields: object) -> ClaimRequest:
    return ClaimRequest.model_validate({"worker": "w", "devices": devices, **fields})


@pytest.fixture
def queue(api: TestClient, services: Services) -> Callable[..., str]:
    project = api.post("/api/projects", json={"name": "P"}).json()["id"]
    api.put(f"/api/projects/{project}/code", content=zip_of({"train.py": b"pass"}))
    for run in json.loads(services.run.runs.list_json(None, None, limit=200, before=None)):  # What another test left.
        if run["state"] == "queued":
            services.run.runs.stop(run["id"])
        elif run["state"] in ("starting", "running"):
            ended(services, run["id"])

    def create(device: str = "cpu", **fields: object) -> str:
        asked = {"project_id": project, "kind": "train", "device": device, **fields}
        return services.run.runs.create(RunCreate.model_validate(asked)).id

    return create


def test_runs_are_claimed_in_their_order_and_for_their_device(queue: Callable[..., str], services: Services) -> None:
    workers = services.run.workers
    workers.renew(request(CPU, CARD))
    first, on_card, second = queue(), queue("cuda:0"), queue()
    two_slots = CPU.model_copy(update={"slots": 2})
    claims = [workers.claim(request(two_slots)) for _ in range(3)]
    assert [claim and (claim.run_id, claim.device) for claim in claims] == [(first, "cpu"), (second, "cpu"), None]
    assert workers.claim(request(CPU, CARD, free=("cpu",))) is None
    claim = workers.claim(request(CPU, CARD, free=("cuda:0",)))
    assert claim and (claim.run_id, claim.device) == (on_card, "cuda:0")


def test_of_many_that_claim_at_once_each_run_has_one(queue: Callable[..., str], services: Services) -> None:
    waiting = {queue() for _ in range(20)}
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda i: services.run.workers.claim(request(CPU, worker=f"w{i}")), range(40)))
    found = [claim.run_id for claim in claims if claim]
    assert len(found) == 20 and set(found) == waiting


def test_a_token_is_kept_only_as_its_hash(
    queue: Callable[..., str], services: Services, connections: Connections
) -> None:
    run_id = queue()
    claim = services.run.workers.claim(request(CPU))
    assert claim and claim.token not in str(connections.database["runs"].find_one({"_id": run_id}))


def test_without_redis_runs_are_claimed_all_the_same(
    queue: Callable[..., str], connections: Connections, services: Services
) -> None:
    away = WakeUps(redis.Redis(port=1))
    workers = WorkerService(
        RunStore(connections.database),
        WorkerStore(connections.database),
        DeletedRunStore(connections.database),
        away,
        utc_now,
    )
    run_id = queue()
    away.send("cpu")
    workers.renew(request(CPU))
    workers.wait(request(CPU), 0.01)
    claim = workers.claim(request(CPU))
    assert claim and claim.run_id == run_id
    assert CPU in workers.devices()
    ended(services, run_id)


def test_a_worker_that_falls_silent_is_no_longer_offered_and_may_be_removed(
    api: TestClient, connections: Connections
) -> None:
    moment = utc_now()
    store = WorkerStore(connections.database)
    workers = WorkerService(
        RunStore(connections.database),
        store,
        DeletedRunStore(connections.database),
        WakeUps(connections.redis),
        lambda: moment,
        15,
    )
    device = Device(name="cuda:5", title="Card", worker="brief")
    workers.renew(request(device, worker="brief"))
    assert device in workers.devices()
    refused = api.delete("/api/workers/brief")
    assert (refused.status_code, refused.json()["code"]) == (409, "worker_alive")
    moment += timedelta(seconds=15)
    assert device not in workers.devices()
    assert not next(worker for worker in workers.workers() if worker.name == "brief").is_alive
    workers.remove("brief")
    with pytest.raises(NotFoundError):
        workers.remove("brief")


def test_priority_comes_before_the_time_of_start(queue: Callable[..., str], services: Services) -> None:
    low, first, urgent, second = queue(priority=-5), queue(), queue(priority=100), queue()
    assert [claimed(services) for _ in range(5)] == [urgent, first, second, low, None]


def test_a_priority_out_of_range_is_refused(api: TestClient, queue: Callable[..., str]) -> None:
    run_id = queue()
    for priority in (101, -101, "high", None):
        assert api.patch(f"/api/runs/{run_id}/priority", json={"priority": priority}).status_code == 422
    assert api.patch(f"/api/runs/{run_id}/priority", json={"priority": 100}).json()[0]["run"]["priority"] == 100


def test_the_queue_can_be_put_in_another_order(api: TestClient, queue: Callable[..., str], services: Services) -> None:
    a, b, c, d = (queue() for _ in range(4))

    def move(run_id: str, **where: str) -> list[str]:
        reply = api.post(f"/api/runs/{run_id}/move", json=where)
        assert reply.status_code == 200, reply.text
        return [queued["run"]["id"] for queued in reply.json()]

    assert move(d, before=a) == [d, a, b, c]
    assert move(d, after=b) == [a, b, d, c]
    assert move(a, after=c) == [b, d, c, a]
    api.patch(f"/api/runs/{c}/priority", json={"priority": 7})
    assert move(a, before=c) == [a, c, b, d], "it takes over the priority of its new neighbour"
    assert [queued["position"] for queued in api.get("/api/queue").json()] == [1, 2, 3, 4]
    assert [claimed(services) for _ in range(4)] == [a, c, b, d]


def test_a_hundred_moves_into_the_same_gap_still_find_room(api: TestClient, queue: Callable[..., str]) -> None:
    a, b, c = (queue() for _ in range(3))
    for number in range(100):
        moved, other = (b, c) if number % 2 else (c, b)
        reply = api.post(f"/api/runs/{moved}/move", json={"before": other})
        assert [queued["run"]["id"] for queued in reply.json()] == [a, moved, other]


def test_moves_that_make_no_sense_are_refused(api: TestClient, queue: Callable[..., str], services: Services) -> None:
    gone = queue()
    claimed(services)
    a, b = queue(), queue()

    def refusal(run_id: str, **where: str) -> tuple[int, str]:
        reply = api.post(f"/api/runs/{run_id}/move", json=where)
        return reply.status_code, reply.json()["code"]

    assert refusal(a, before=a) == (422, "queue_move_beside_itself")
    assert refusal(a, before=gone) == (409, "run_not_queued")
    assert refusal(gone, before=a) == (409, "run_not_queued")
    assert refusal(a, before="nothing") == (404, "run_not_found")
    assert refusal("nothing", before=a) == (404, "run_not_found")
    assert refusal(a)[0] == refusal(a, before=b, after=b)[0] == 422


def test_a_run_goes_only_to_a_worker_that_carries_its_labels(queue: Callable[..., str], services: Services) -> None:
    labelled, plain = queue(labels=["gpu", "lab2"]), queue()
    assert claimed(services, labels=("lab2",)) == plain
    assert claimed(services, labels=("gpu",)) is None
    assert claimed(services, labels=("lab2", "gpu", "fast")) == labelled


def test_a_drained_worker_keeps_what_it_runs_and_gets_nothing_new(
    api: TestClient, queue: Callable[..., str], services: Services
) -> None:
    two = CPU.model_copy(update={"slots": 2})
    services.run.workers.renew(request(two))
    first, second = queue(), queue()
    assert claimed(services, two, end=False) == first
    drained = api.post("/api/workers/w/drain").json()
    assert drained["is_draining"] and [run["id"] for run in drained["runs"]] == [first]
    services.run.workers.renew(request(two))
    assert claimed(services, two) is None
    assert waits_for(api, second) == ("waits_draining", {"device": "cpu", "workers": "w"})
    assert api.delete("/api/workers/w").json()["code"] == "worker_has_runs"
    assert not api.post("/api/workers/w/undrain").json()["is_draining"]
    assert claimed(services, two) == second
    ended(services, first)
    assert api.post("/api/workers/nobody/drain").status_code == 404


def test_slots_are_counted_from_the_runs_so_a_restarted_worker_does_not_overcommit(
    queue: Callable[..., str], services: Services
) -> None:
    first, second = queue(), queue()
    assert claimed(services, end=False) == first
    # A restarted worker knows no agents and calls every device free.
    assert services.run.workers.claim(request(CPU, free=("cpu",))) is None
    other = services.run.workers.claim(request(CPU, worker="other"))
    assert other and other.run_id == second, "slots of one worker are not those of another"
    ended(services, first)
    third = queue()
    assert claimed(services) == third


def test_a_worker_gets_no_more_runs_while_too_many_of_its_agents_were_never_heard(
    queue: Callable[..., str], services: Services
) -> None:
    many = Device(name="cpu", title="CPU", worker="w", slots=10)
    for _ in range(MAX_UNPROVEN + 1):
        queue()
    first, *_ = [claimed(services, many, end=False) for _ in range(MAX_UNPROVEN)]
    assert first is not None
    assert claimed(services, many) is None
    services.run.agents.heartbeat(first, Heartbeat())
    assert claimed(services, many) is not None


def test_a_queued_run_says_what_it_waits_for(
    api: TestClient, queue: Callable[..., str], services: Services, connections: Connections
) -> None:
    connections.database["workers"].delete_many({})
    first = queue()
    assert waits_for(api, first) == ("waits_no_worker", {"device": "cpu"})
    services.run.workers.renew(request(CPU))
    assert waits_for(api, first)[0] == "waits_next"
    second, labelled = queue(), queue(labels=["moon"])
    assert waits_for(api, second) == ("waits_turn", {"device": "cpu", "runs": "", "ahead": 1})
    assert waits_for(api, labelled) == ("waits_no_label", {"device": "cpu", "labels": "moon"})
    claimed(services, end=False)
    number = str(api.get(f"/api/runs/{first}").json()["number"])
    assert waits_for(api, second) == ("waits_busy", {"device": "cpu", "runs": number, "ahead": 0})
    assert api.get(f"/api/runs/{first}").json()["waits_for"] is None
    (worker,) = api.get("/api/workers").json()
    assert worker["used"] == {"cpu": 1} and [str(run["number"]) for run in worker["runs"]] == [number]
    ended(services, first)


def claimed(services: Services, device: Device = CPU, labels: tuple[str, ...] = (), end: bool = True) -> str | None:
    """The id of the run that worker `w` gets; its slot is free again afterwards unless `end` is False."""
    claim = services.run.workers.claim(request(device, labels=labels))
    if claim is not None and end:
        ended(services, claim.run_id)
    return None if claim is None else claim.run_id


def ended(services: Services, run_id: str) -> None:
    services.run.agents.started(run_id, RunStarted(pid=1, isolation="process"))
    services.run.agents.finished(run_id, RunFinished(state="finished", reason=Reason(code="finished")))


def waits_for(api: TestClient, run_id: str) -> tuple[str, dict[str, object]]:
    reason = api.get(f"/api/runs/{run_id}").json()["waits_for"]
    (listed,) = [queued for queued in api.get("/api/queue").json() if queued["run"]["id"] == run_id]
    assert listed["waits_for"] == reason
    return reason["code"], reason["params"]
