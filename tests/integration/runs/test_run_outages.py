"""The backend goes away in the middle of a run: nothing is lost, nothing counts twice."""

import time

from tests.integration.runs.live_workstation import LiveWorkstation

STEADY = """
event("status", what="sdk_ready")
for i in range(200):
    point(i)
    message(f"message {i}")
    time.sleep(0.02)
(RUN / "half").touch()
wait_for_file("go")
for i in range(200, 400):
    point(i)
    message(f"message {i}")
"""


def test_a_restart_of_the_api_loses_and_doubles_nothing(live: LiveWorkstation) -> None:
    run = live.start_run(live.project(STEADY))
    live.until_point(run, 20)
    live.stop_api()
    time.sleep(6)  # longer than the lease: the silence is the API's own, and the run must not be called lost
    (live.folder(run) / "go").touch()
    live.until(lambda: (live.folder(run) / "half").exists())
    live.start_api()
    ended = live.until_final(run)
    assert ended.state == "finished", ended
    (series,) = live.points(run).series
    assert series.iters == tuple(range(400)) and series.total == 400
    assert ended.message_counts["info"] == 400
    assert [m.text for m in live.messages(run)] == [f"message {i}" for i in range(400)]


def test_a_script_that_ends_while_the_api_is_away_is_told_later(live: LiveWorkstation) -> None:
    run = live.start_run(live.project("wait_for_file('go')\npoint(1)\nraise RuntimeError('while you were out')"))
    live.until_state(run, "running")
    live.stop_api()
    (live.folder(run) / "go").touch()
    live.until(lambda: not live.pids(run))
    live.start_api()
    ended = live.until_final(run)
    assert ended.reason and ended.reason.params["error"] == "RuntimeError: while you were out"
    assert live.points(run).version == 1


def test_a_run_that_waits_survives_a_restart_of_the_api(live: LiveWorkstation) -> None:
    blockers = [live.start_run(live.project("wait_for_file('go')")) for _ in range(2)]
    for blocker in blockers:
        live.until_state(blocker, "running")
    waiting = live.start_run(live.project("point(1)"))
    live.stop_api()
    live.start_api()
    assert live.run(waiting).state == "queued"
    for blocker in blockers:
        (live.folder(blocker) / "go").touch()
    assert live.until_final(waiting).state == "finished"
