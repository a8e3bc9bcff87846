"""The queue with real workers: order, labels, two workers, and a worker that is killed while its agents live on."""

from collections.abc import Iterator

import pytest

from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import LiveWorkstation

WAITS = """
event("status", what="sdk_ready")
wait_for_file("go")
"""


@pytest.fixture
def one_slot(live: LiveWorkstation) -> Iterator[LiveWorkstation]:
    """The module's workstation with a single worker that has a single slot."""
    live.kill_worker()
    live.start_worker(ARM_CPU_SLOTS="1", ARM_WORKER_NAME="one")
    live.until(lambda: [worker for worker in live.ok("GET", "/workers") if worker["name"] == "one"])
    yield live
    for worker in live.workers:
        worker.terminate()
        worker.wait(30)
    live.workers.clear()


def go(live: LiveWorkstation, run: Run) -> Run:
    (live.folder(run) / "go").touch()
    return live.until_final(run)


def test_the_queue_is_worked_off_in_the_order_that_the_user_gave_it(one_slot: LiveWorkstation) -> None:
    live = one_slot
    project = live.project(WAITS)
    first = live.start_run(project)
    live.until_state(first, "running")
    plain, last, urgent = live.start_run(project), live.start_run(project), live.start_run(project, priority=10)
    live.ok("POST", f"/runs/{last.id}/move", json={"before": plain.id})
    waiting = live.run(plain).waits_for
    assert waiting and (waiting.code, waiting.params) == (
        "waits_busy",
        {"device": "cpu", "runs": str(first.number), "ahead": 2},
    )
    for run in (first, urgent, last, plain):
        live.until_state(run, "running")
        assert [worker["used"] for worker in live.ok("GET", "/workers") if worker["name"] == "one"] == [{"cpu": 1}]
        assert go(live, run).state == "finished"


def test_two_workers_share_the_queue_by_labels_and_a_drained_one_takes_nothing(one_slot: LiveWorkstation) -> None:
    live = one_slot
    live.start_worker(ARM_CPU_SLOTS="1", ARM_WORKER_NAME="two", ARM_WORKER_LABELS="gpu,lab2")
    live.until(lambda: [worker for worker in live.ok("GET", "/workers") if worker["name"] == "two"])
    project = live.project(WAITS)
    labelled = live.start_run(project, labels=["lab2"])
    assert live.until_state(labelled, "running").worker == "two"
    plain = live.start_run(project)
    assert live.until_state(plain, "running").worker == "one"
    live.ok("POST", "/workers/one/drain")
    after = live.start_run(project)
    assert go(live, plain).state == "finished"
    assert live.run(after).state == "queued"
    assert go(live, labelled).state == "finished"
    assert live.until_state(after, "running").worker == "two"
    live.ok("POST", "/workers/one/undrain")
    last = live.start_run(project)
    assert live.until_state(last, "running").worker == "one"
    assert {go(live, run).state for run in (after, last)} == {"finished"}


def test_a_restarted_worker_leaves_the_slots_of_living_agents_alone(one_slot: LiveWorkstation) -> None:
    live = one_slot
    project = live.project(WAITS)
    first, second = live.start_run(project), live.start_run(project)
    live.until_state(first, "running")
    (worker,) = live.workers
    worker.kill()
    worker.wait()
    live.workers.clear()
    seen = _last_seen(live)
    live.start_worker(ARM_CPU_SLOTS="1", ARM_WORKER_NAME="one")
    live.until(lambda: _last_seen(live) > seen)
    # It has asked for a run with all its slots free, as far as it knows, more than once by now.
    seen = _last_seen(live)
    live.until(lambda: _last_seen(live) > seen)
    state = live.run(first).state
    if state == "running":
        assert live.run(second).state == "queued"
    go(live, first)
    live.until_state(second, "running")
    assert go(live, second).state == "finished"


def _last_seen(live: LiveWorkstation) -> str:
    return next(str(worker["last_seen"]) for worker in live.ok("GET", "/workers") if worker["name"] == "one")
