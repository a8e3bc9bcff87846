"""Leases: who is silent loses its run, but never through a silence that was the backend's own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from backend.contracts.runs import Run, RunCreate
from backend.contracts.workers import ClaimRequest, Device, Heartbeat, RunStarted
from backend.services.own_messages import OwnMessages
from backend.services.run_supervision import RunSupervision
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.stores.mongo.run_message_store import RunMessageStore
from backend.stores.mongo.run_store import RunStore
from backend.wiring import Connections, Services, utc_now
from tests.integration.uploads import zip_of

LEASE_S = 30.0


@dataclass
class Clock:
    """Both clocks of a machine, moved by hand."""

    passed_s: float = 0.0
    start: object = field(default_factory=utc_now)

    def now(self) -> object:
        return self.start + timedelta(seconds=self.passed_s)  # type: ignore[operator]

    def monotonic(self) -> float:
        return 1000 + self.passed_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervision(connections: Connections, services: Services, clock: Clock) -> RunSupervision:
    database = connections.database
    own_messages = OwnMessages(RunMessageStore(database), RunCursorStore(database), utc_now)
    runs = RunStore(database)
    return RunSupervision(
        runs, own_messages, services.run.runs, services.run.retries, LEASE_S, clock.now, clock.monotonic
    )  # type: ignore[arg-type]


@pytest.fixture
def run(api: TestClient, services: Services, supervision: RunSupervision) -> Iterator[Run]:
    project = api.post("/api/projects", json={"name": "P"}).json()
    api.put(f"/api/projects/{project['id']}/code", content=zip_of({"train.py": b"pass"}))
    created = services.run.runs.create(RunCreate(project_id=project["id"], kind="train"))
    claimed(services)
    yield created
    services.run.runs.stop(created.id)


def claimed(services: Services) -> str | None:
    device = Device(name="cpu", title="CPU", worker="w", slots=50)
    claim = services.run.workers.claim(ClaimRequest(worker="w", devices=(device,)))
    return None if claim is None else claim.run_id


def wait(clock: Clock, supervision: RunSupervision, seconds: float) -> None:
    """Time passes while the supervision looks every five seconds."""
    for _ in range(round(seconds / 5)):
        clock.passed_s += 5
        supervision.check()


def test_a_silent_agent_loses_its_run(run: Run, services: Services, supervision: RunSupervision, clock: Clock) -> None:
    services.run.agents.started(run.id, RunStarted(pid=1, isolation="process"))
    wait(clock, supervision, 30)
    assert services.run.runs.get(run.id).state == "running"
    wait(clock, supervision, 10)
    lost = services.run.runs.get(run.id)
    assert lost.reason and (lost.state, lost.reason.code) == ("lost", "agent_silent")
    assert lost.message_counts["error"] == 1 and lost.finished_at is not None


def test_the_silence_of_a_backend_that_slept_is_nobodys_fault(
    run: Run, services: Services, supervision: RunSupervision, clock: Clock
) -> None:
    services.run.agents.started(run.id, RunStarted(pid=1, isolation="process"))
    wait(clock, supervision, 25)
    clock.passed_s += 3600
    supervision.check()
    wait(clock, supervision, 25)
    assert services.run.runs.get(run.id).state == "running"
    wait(clock, supervision, 10)
    assert services.run.runs.get(run.id).state == "lost"


def test_a_heartbeat_in_the_last_moment_saves_the_run(
    run: Run, services: Services, supervision: RunSupervision, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.run.agents.started(run.id, RunStarted(pid=1, isolation="process"))
    look = RunStore.silent_since

    def look_then_beat(store: RunStore, time: object) -> object:
        found = look(store, time)  # type: ignore[arg-type]
        services.run.agents.heartbeat(run.id, Heartbeat())
        return found

    monkeypatch.setattr(RunStore, "silent_since", look_then_beat)
    wait(clock, supervision, 45)
    assert services.run.runs.get(run.id).state == "running"


def test_a_claim_that_never_reached_its_worker_is_queued_again_but_not_for_ever(
    run: Run, services: Services, supervision: RunSupervision, clock: Clock
) -> None:
    for _ in range(2):
        wait(clock, supervision, 40)
        assert services.run.runs.get(run.id).state == "queued"
        assert claimed(services) == run.id
    wait(clock, supervision, 40)
    assert services.run.runs.get(run.id).state == "lost"


def test_a_run_whose_request_died_before_the_queue_is_queued(
    run: Run, services: Services, supervision: RunSupervision, clock: Clock, connections: Connections
) -> None:
    connections.database["runs"].update_one({"_id": run.id}, {"$set": {"state": "created"}})
    wait(clock, supervision, 25)
    assert services.run.runs.get(run.id).state == "created"
    wait(clock, supervision, 10)
    assert services.run.runs.get(run.id).state == "queued"
