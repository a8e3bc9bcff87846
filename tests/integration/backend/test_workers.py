"""Claims: the longest waiting run, once, for a device that is free; Redis may be away."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from fastapi.testclient import TestClient

from backend.contracts.runs import ClaimRequest, Device, RunCreate
from backend.domain.errors import UnavailableError
from backend.services.worker_service import WorkerService
from backend.stores.mongo.run_store import RunStore
from backend.stores.redis.live_workers import LiveWorkers
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
    while services.run.workers.claim(request(CPU, CARD)):  # What another test left waiting.
        pass
    return lambda device="cpu": services.run.runs.create(RunCreate(project_id=project, kind="train", device=device)).id


def test_runs_are_claimed_in_their_order_and_for_their_device(queue: Callable[..., str], services: Services) -> None:
    workers = services.run.workers
    workers.renew(request(CPU, CARD))
    first, on_card, second = queue(), queue("cuda:0"), queue()
    claimed = [workers.claim(request(CPU)) for _ in range(3)]
    assert [claim and (claim.run_id, claim.device) for claim in claimed] == [(first, "cpu"), (second, "cpu"), None]
    assert workers.claim(request(CPU, CARD, free=("cpu",))) is None
    claim = workers.claim(request(CPU, CARD, free=("cuda:0",)))
    assert claim and (claim.run_id, claim.device) == (on_card, "cuda:0")


def test_of_many_that_claim_at_once_each_run_has_one(queue: Callable[..., str], services: Services) -> None:
    waiting = {queue() for _ in range(20)}
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: services.run.workers.claim(request(CPU)), range(40)))
    claimed = [claim.run_id for claim in claims if claim]
    assert len(claimed) == 20 and set(claimed) == waiting


def test_a_token_is_kept_only_as_its_hash(
    queue: Callable[..., str], services: Services, connections: Connections
) -> None:
    run_id = queue()
    claim = services.run.workers.claim(request(CPU))
    assert claim and claim.token not in str(connections.database["runs"].find_one({"_id": run_id}))


def test_without_redis_runs_are_claimed_all_the_same(queue: Callable[..., str], connections: Connections) -> None:
    away = redis.Redis(port=1)
    live_workers = LiveWorkers(away)
    workers = WorkerService(RunStore(connections.database), WakeUps(away), live_workers, utc_now)
    run_id = queue()
    WakeUps(away).send("cpu")
    workers.renew(request(CPU))
    workers.wait(request(CPU), 0.01)
    claim = workers.claim(request(CPU))
    assert claim and claim.run_id == run_id
    with pytest.raises(UnavailableError):
        workers.devices()


def test_a_worker_that_falls_silent_is_no_longer_listed(connections: Connections) -> None:
    live_workers = LiveWorkers(connections.redis, alive_s=1)
    device = Device(name="cuda:5", title="Card", worker="brief")
    live_workers.renew("brief", (device,))
    assert device in live_workers.devices()
    assert 0 < connections.redis.ttl("arm:worker:brief") <= 1
