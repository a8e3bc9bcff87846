"""Whatever dies around a script, another process takes its run up, and nothing that was reported is missing."""

import hashlib
import os
import signal
import time
from pathlib import Path

import psutil

from backend.contracts.runs import Run
from backend.runs.supervision_folder import ScriptRecord, read_record
from tests.integration.runs.live_workstation import LiveWorkstation, kill

# Long enough for a new worker to come, on a machine that is busy with other things.
LIVE_VARIABLES = {"ARM_LEASE_S": "15"}

STEADY = """
import hashlib
def artifact(name, content):
    (RUN / "artifacts" / name).write_bytes(content)
    event("artifact", path=name, kind="file", size=len(content), sha256=hashlib.sha256(content).hexdigest())
for i in range(500):
    point(i)
    message(f"message {i}")
(RUN / "half").touch()
wait_for_file("go")
for i in range(500, 1000):
    point(i)
    message(f"message {i}")
artifact("late.bin", b"late" * 1000)
print("the end", flush=True)
sys.exit(7)
"""


def record(live: LiveWorkstation, run: Run) -> ScriptRecord:
    found = read_record(live.home / "supervision" / run.id / "script.json")
    assert found is not None
    return found


def agent_of(run: Run) -> int | None:
    """The process that holds the run's agent lock: the one that has the file open."""
    for process in psutil.process_iter():
        try:
            if any(f"supervision/{run.id}/agent.lock" in file.path for file in process.open_files()):
                return process.pid
        except psutil.Error:
            continue
    return None


def start_half(live: LiveWorkstation, script: str = STEADY) -> Run:
    run = live.start_run(live.project(script))
    live.until(lambda: (live.folder(run) / "half").exists())
    return run


def kill_worker_and_agent(live: LiveWorkstation, run: Run) -> None:
    worker = live.workers.pop()
    agent = live.until(lambda: agent_of(run))
    kill(worker.pid)
    kill(agent)
    worker.wait()


def go_on(live: LiveWorkstation, run: Run) -> None:
    (live.folder(run) / "go").touch()


def assert_complete(live: LiveWorkstation, run: Run, count: int = 1000) -> None:
    (series,) = live.points(run).series
    assert series.iters == tuple(range(count))
    texts = [message.text for message in live.messages(run) if message.reason is None]
    assert texts == [f"message {i}" for i in range(count)]


def assert_natural_end(live: LiveWorkstation, run: Run) -> None:
    ended = live.until_final(run)
    assert ended.reason and (ended.state, ended.reason.code, ended.exit_code) == ("failed", "script_exit_code", 7)
    assert_complete(live, run)
    assert live.client.get(f"/runs/{run.id}/logs/stdout").text == "the end\n"
    (late,) = [a for a in live.ok("GET", f"/runs/{run.id}/artifacts") if a["path"] == "late.bin"]
    assert late["sha256"] == hashlib.sha256(b"late" * 1000).hexdigest()
    assert live.pids(run) == []
    live.until(lambda: not (live.home / "supervision" / run.id).exists())


def test_a_killed_agent_is_replaced_and_the_script_notices_nothing(live: LiveWorkstation) -> None:
    run = start_half(live)
    script = live.script_pid(run)
    for _ in range(2):
        agent = live.until(lambda: agent_of(run))
        kill(agent)
        live.until(lambda killed=agent: agent_of(run) not in (None, killed))  # type: ignore[misc]
    assert live.script_pid(run) == script and live.run(run).state == "running"
    go_on(live, run)
    assert_natural_end(live, run)
    assert [m.reason.code for m in live.messages(run) if m.reason] == ["agent_replaced"]


def test_what_a_script_wrote_while_nobody_listened_arrives(live: LiveWorkstation) -> None:
    run = start_half(live)
    kill_worker_and_agent(live, run)
    go_on(live, run)
    live.until(lambda: not live.pids(run))
    live.start_worker()
    assert_natural_end(live, run)


def test_a_new_worker_takes_up_a_script_that_lives(live: LiveWorkstation) -> None:
    run = start_half(live)
    kill_worker_and_agent(live, run)
    live.start_worker()
    live.until(lambda: agent_of(run))
    go_on(live, run)
    assert_natural_end(live, run)


def test_a_new_worker_counts_the_runs_of_a_dead_one(live: LiveWorkstation) -> None:
    runs = [start_half(live), start_half(live)]
    worker = live.workers.pop()
    kill(worker.pid)
    worker.wait()
    waiting = live.start_run(live.project("point(1)"))
    live.start_worker()
    time.sleep(2)
    assert live.run(waiting).state == "queued"
    for run in runs:
        go_on(live, run)
        assert_natural_end(live, run)
    assert live.until_final(waiting).state == "finished"


def test_stop_reaches_an_adopted_script_and_its_whole_family(live: LiveWorkstation) -> None:
    family = """
sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True)
daemon = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True)"
subprocess.run([sys.executable, "-c", daemon])
point(0)
(RUN / "half").touch()
time.sleep(600)
"""
    run = start_half(live, family)
    assert len(live.pids(run)) == 3
    agent = live.until(lambda: agent_of(run))
    kill(agent)
    live.until(lambda: agent_of(run) not in (None, agent))
    live.ok("POST", f"/runs/{run.id}/stop")
    assert live.until_final(run).state == "stopped"
    assert live.pids(run) == []


def test_a_killed_shim_takes_the_script_along_and_the_run_says_so(live: LiveWorkstation) -> None:
    orphan = """
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
for i in range(1000):
    point(i)
    message(f"message {i}")
(RUN / "half").touch()
time.sleep(600)
"""
    run = start_half(live, orphan)
    kill(record(live, run).shim_pid)
    ended = live.until_final(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("lost", "supervisor_died")
    assert live.pids(run) == []
    assert_complete(live, run)


def test_a_lost_run_keeps_its_state_and_gets_its_data(live: LiveWorkstation) -> None:
    run = start_half(live)
    kill_worker_and_agent(live, run)
    go_on(live, run)
    live.until(lambda: not live.pids(run))
    lost = live.until_final(run, patience_s=60)
    assert lost.reason and (lost.state, lost.reason.code) == ("lost", "agent_silent")
    live.start_worker()
    live.until(lambda: not (live.home / "supervision" / run.id).exists())
    assert_complete(live, run)
    assert live.run(run).state == "lost" and live.run(run).reason == lost.reason
    codes = {m.reason.code for m in live.messages(run) if m.reason}
    assert codes == {"agent_silent", "agent_replaced", "data_recovered"}


def test_a_stopped_worker_stops_what_it_adopted(live: LiveWorkstation) -> None:
    run = start_half(live)
    worker = live.workers.pop()
    kill(worker.pid)
    worker.wait()
    heir = live.start_worker()
    live.until(lambda: _holds(heir.pid, run))
    live.workers.remove(heir)
    os.kill(heir.pid, signal.SIGTERM)
    assert heir.wait(20) == 0
    ended = live.run(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("stopped", "workstation_shutdown")
    live.start_worker()


def _holds(pid: int, run: Run) -> bool:
    return any(Path(file.path).parent.name == run.id for file in psutil.Process(pid).open_files())
