"""How runs end when something ends them: an exception, a signal, Stop, a shutdown, the death of the agent."""

import os
import signal
import time

import pytest

from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import LiveWorkstation, kill

# Both ways to keep scripts apart end runs by themselves, each with another parent of the script.
pytestmark = pytest.mark.parametrize("live", ["auto", "process"], indirect=True)

POINTS_THEN_WAIT = """
for i in range(2000):
    point(i)
print("written", flush=True)
(RUN / "written").touch()
wait_for_file("never")
"""


def assert_all_points(live: LiveWorkstation, run: Run, count: int) -> None:
    (series,) = live.points(run).series
    assert series.iters == tuple(range(count))
    assert series.values == tuple(map(float, range(count)))


def wait_until_written(live: LiveWorkstation, run: Run) -> None:
    live.until(lambda: (live.folder(run) / "written").exists())


def test_an_exception_is_the_reason(live: LiveWorkstation) -> None:
    script = "point(0)\nraise ValueError('no images in /data')"
    run = live.until_final(live.start_run(live.project(script)))
    assert (run.state, run.exit_code) == ("failed", 1)
    assert run.reason and run.reason.code == "script_failed"
    assert run.reason.params["error"] == "ValueError: no images in /data"
    assert "Traceback (most recent call last)" in run.stderr_tail
    assert_all_points(live, run, 1)


def test_an_exit_code_is_the_reason(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project("sys.exit(3)")))
    assert run.reason and (run.state, run.reason.code, run.exit_code) == ("failed", "script_exit_code", 3)


def test_kill_9_loses_no_point_and_is_told_within_10_s(live: LiveWorkstation) -> None:
    run = live.start_run(live.project(POINTS_THEN_WAIT))
    wait_until_written(live, run)
    killed_at = time.monotonic()
    kill(live.script_pid(run))
    ended = live.until_final(run)
    assert time.monotonic() - killed_at < 10
    assert ended.reason and (ended.state, ended.reason.code) == ("failed", "script_killed")
    assert ended.reason.params == {"signal": "SIGKILL"} and ended.exit_code == -9
    assert_all_points(live, run, 2000)
    assert live.pids(run) == []


STUBBORN_FAMILY = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", sleeper])
subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True)
daemon = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True)"
subprocess.run([sys.executable, "-c", daemon])
point(1)
time.sleep(1)
(RUN / "written").touch()
time.sleep(600)
"""


def test_stop_leaves_no_process_however_stubborn(live: LiveWorkstation) -> None:
    run = live.start_run(live.project(STUBBORN_FAMILY))
    wait_until_written(live, run)
    assert len(live.pids(run)) == 4
    live.ok("POST", f"/runs/{run.id}/stop")
    ended = live.until_final(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("stopped", "stopped_by_user")
    assert live.pids(run) == []
    assert_iters(live, run, (1,))


def assert_iters(live: LiveWorkstation, run: Run, iters: tuple[int, ...]) -> None:
    assert [series.iters for series in live.points(run).series] == [iters]


def test_stop_lets_a_script_say_goodbye(live: LiveWorkstation) -> None:
    script = """
def goodbye(*_):
    message("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, goodbye)
(RUN / "written").touch()
time.sleep(600)
"""
    run = live.start_run(live.project(script))
    wait_until_written(live, run)
    live.ok("POST", f"/runs/{run.id}/stop")
    ended = live.until_final(run)
    assert (ended.state, ended.exit_code) == ("stopped", 0)
    assert [m.text for m in live.messages(run)] == ["saved"]


def test_what_a_finished_script_left_behind_is_ended(live: LiveWorkstation) -> None:
    script = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)"
    run = live.until_final(live.start_run(live.project(script)))
    assert run.state == "finished" and live.pids(run) == []


def test_a_process_that_forks_faster_than_anybody_looks_is_ended(live: LiveWorkstation) -> None:
    script = """
hop = "import os, time\\nwhile True:\\n if os.fork(): os._exit(0)\\n os.setsid(); time.sleep(0.003)"
subprocess.Popen([sys.executable, "-c", hop])
time.sleep(1)
"""
    run = live.until_final(live.start_run(live.project(script)))
    assert run.state == "finished"
    # One look can miss it between two of its lives, fifty can not.
    assert [pids for _ in range(50) if (pids := live.pids(run))] == []


def test_a_queued_run_is_stopped_at_once(live: LiveWorkstation) -> None:
    blockers = [live.start_run(live.project(POINTS_THEN_WAIT)) for _ in range(2)]
    for blocker in blockers:
        live.until_state(blocker, "running")
    waiting = live.start_run(live.project("pass"))
    assert waiting.state == "queued"
    stopped = Run.model_validate(live.ok("POST", f"/runs/{waiting.id}/stop"))
    assert stopped.state == "stopped" and stopped.reason
    for blocker in blockers:
        live.ok("POST", f"/runs/{blocker.id}/stop")
        assert live.until_final(blocker).state == "stopped"
    assert not live.folder(waiting).exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_stopped_stops_its_runs(live: LiveWorkstation, sent: signal.Signals) -> None:
    run = live.start_run(live.project(POINTS_THEN_WAIT))
    wait_until_written(live, run)
    worker = live.workers.pop()
    os.kill(worker.pid, sent)
    assert worker.wait(20) == 0
    ended = live.run(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("stopped", "workstation_shutdown")
    assert_all_points(live, run, 2000)
    assert live.pids(run) == []
    live.start_worker()


def test_a_machine_that_vanishes_leaves_a_lost_run_with_all_that_came(live: LiveWorkstation) -> None:
    run = live.start_run(live.project(POINTS_THEN_WAIT))
    live.until_point(run, 1999)
    live.kill_worker()
    ended = live.until_final(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("lost", "agent_silent")
    # The state is decided first, the message about it follows.
    live.until(lambda: live.run(run).message_counts["error"] == 1 or None)
    (message,) = live.messages(run)
    assert message.reason == ended.reason and "has not been heard of" in message.text
    assert_all_points(live, run, 2000)
    live.start_worker()


def test_a_worker_that_dies_alone_does_not_end_its_runs(live: LiveWorkstation) -> None:
    script = "point(0)\n(RUN / 'written').touch()\nwait_for_file('go')\npoint(1)"
    run = live.start_run(live.project(script))
    wait_until_written(live, run)
    worker = live.workers.pop()
    kill(worker.pid)
    worker.wait()
    (live.folder(run) / "go").touch()
    assert live.until_final(run).state == "finished"
    assert_all_points(live, run, 2)
    live.start_worker()
