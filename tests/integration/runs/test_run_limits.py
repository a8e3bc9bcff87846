"""Limits, retries, loud scripts and full disks."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import LiveWorkstation


def test_a_time_limit_ends_the_run_and_is_the_reason(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project("point(0)\ntime.sleep(600)"), limits={"time_s": 1}))
    assert run.reason and (run.state, run.reason.code) == ("failed", "time_limit")
    assert run.reason.params == {"limit_s": 1} and live.pids(run) == []


def test_a_memory_limit_counts_children_and_ends_the_run(live: LiveWorkstation) -> None:
    script = """
eater = "import time; kept = bytearray(150 << 20); time.sleep(600)"
for _ in range(2):
    subprocess.Popen([sys.executable, "-c", eater], start_new_session=True)
time.sleep(600)
"""
    run = live.until_final(live.start_run(live.project(script), limits={"memory_mb": 250}))
    assert run.reason and (run.state, run.reason.code) == ("failed", "memory_limit")
    assert 250 < run.reason.params["used_mb"] < 450 and live.pids(run) == []


def test_threads_are_limited_and_limits_are_told_to_the_script(live: LiveWorkstation) -> None:
    script = """
message(os.environ["OMP_NUM_THREADS"] + os.environ["MKL_NUM_THREADS"])
message(str(json.loads((RUN / "run.json").read_text())["limits"]))
"""
    run = live.until_final(live.start_run(live.project(script), limits={"threads": 3}))
    assert [m.text for m in live.messages(run)] == ["33", "{'threads': 3}"]


def test_a_language_that_nobody_speaks_is_refused(live: LiveWorkstation) -> None:
    body = {"project_id": live.project("pass"), "kind": "train", "language": "de"}
    assert live.client.post("/runs", json=body).status_code == 422


@pytest.mark.parametrize("limits", [{"time_s": 0}, {"memory_mb": 1}, {"threads": 0}, {"unheard": 1}])
def test_limits_that_make_no_sense_are_refused(live: LiveWorkstation, limits: dict[str, int]) -> None:
    body = {"project_id": live.project("pass"), "kind": "train", "limits": limits}
    assert live.client.post("/runs", json=body).status_code == 422


def test_a_failed_run_is_repeated_as_often_as_asked(live: LiveWorkstation) -> None:
    script, kept = "raise SystemExit(3)", {"seed": 4, "language": "ru", "limits": {"threads": 1}}
    first = live.start_run(live.project(script), retries=2, **kept)
    chain = [live.until_final(first)]
    while chain[-1].retries:
        again = live.until(lambda: live.run(chain[-1]).retried_as)
        chain.append(live.until_final(Run.model_validate(live.ok("GET", f"/runs/{again}"))))
    assert [run.retries for run in chain] == [2, 1, 0]
    assert [run.retry_of for run in chain] == [None, chain[0].id, chain[1].id]
    assert {(run.seed, run.language, run.limits.threads, run.code_sha256, run.state) for run in chain} == {
        (4, "ru", 1, first.code_sha256, "failed")
    }
    told = [[(m.reason.code, m.reason.params["number"]) for m in live.messages(run) if m.reason] for run in chain]
    first_number, second, third = (run.number for run in chain)
    assert told == [
        [("repeated_automatically", second)],
        [("repeats_run", first_number), ("repeated_automatically", third)],
        [("repeats_run", second)],
    ]
    time.sleep(6)
    assert live.run(chain[-1]).retried_as is None


def test_retry_on_request_takes_the_code_of_then(live: LiveWorkstation) -> None:
    project_id = live.project("""message('old code, ' + json.loads((RUN / "run.json").read_text())["language"])""")
    run = live.start_run(project_id, language="ru")
    live.until_final(run)
    live.ok("PUT", f"/projects/{project_id}/code/train.py", content=live.script("message('new code')").encode())
    again = Run.model_validate(live.ok("POST", f"/runs/{run.id}/retry"))
    assert again.language == run.language == "ru"
    assert again.retry_of == run.id and again.number > run.number
    assert live.until_final(again).state == "finished"
    assert [m.text for m in live.messages(again) if m.reason is None] == ["old code, ru"]
    assert [m.reason.code for m in live.messages(again) if m.reason] == ["repeats_run"]
    assert [m.reason.params["number"] for m in live.messages(run) if m.reason] == [again.number]


def test_a_run_that_goes_on_is_not_retried(live: LiveWorkstation) -> None:
    run = live.start_run(live.project("wait_for_file('go')"))
    live.until_state(run, "running")
    refused = live.client.post(f"/runs/{run.id}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "run_not_final")
    (live.folder(run) / "go").touch()
    live.until_final(run)


def test_a_hundred_megabytes_of_output_do_not_block_and_are_all_there(live: LiveWorkstation) -> None:
    script = """
line = b"x" * 99 + b"\\n"
for i in range(1000):
    os.write(1, line * 1000)
    point(i)
message("done")
"""
    started = time.monotonic()
    run = live.until_final(live.start_run(live.project(script)), patience_s=60)
    assert run.state == "finished" and time.monotonic() - started < 45
    assert live.points(run).version == 1000
    (stdout,) = [a for a in live.ok("GET", f"/runs/{run.id}/artifacts") if a["path"] == "stdout.log"]
    assert stdout["size_bytes"] == 100_000_000


@pytest.fixture(scope="module")
def quiet(live: LiveWorkstation) -> Iterator[LiveWorkstation]:
    """The workstation with a worker that keeps 1 MB of output."""
    worker = live.workers.pop()
    worker.terminate()
    worker.wait(30)
    live.start_worker(ARM_LOG_MAX_MB="1")
    yield live


def test_output_over_the_limit_is_cut_in_the_middle_with_a_note(quiet: LiveWorkstation) -> None:
    script = """
print("the beginning", flush=True)
for i in range(300):
    os.write(1, b"y" * 99_999 + b"\\n")
(RUN / "written").touch()
wait_for_file("go")
print("the end", flush=True)
"""
    run = quiet.start_run(quiet.project(script))
    quiet.until(lambda: (quiet.folder(run) / "written").exists())
    stdout = quiet.folder(run) / "stdout.log"
    quiet.until(lambda: stdout.stat().st_size > 29_000_000)
    assert stdout.stat().st_blocks * 512 < 3_000_000
    (quiet.folder(run) / "go").touch()
    assert quiet.until_final(run).state == "finished"
    text = quiet.client.get(f"/runs/{run.id}/logs/stdout").text
    assert text.startswith("the beginning\nyyy") and text.endswith("the end\n")
    assert "bytes of output are left out here" in text and "\0" not in text and len(text) < 3_000_000
    assert [m.reason.code for m in quiet.messages(run) if m.reason] == ["log_cut"]


@pytest.fixture
def small_disk(live: LiveWorkstation) -> Iterator[Path]:
    """The folder of runs on a disk of 8 MB."""
    place = live.home / "runs"
    place.mkdir(exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", place]).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_does_not_end_the_script_and_the_run_says_so(live: LiveWorkstation, small_disk: Path) -> None:
    script = """
import PlatformAPI as platform
log, graph = platform.get_logger(), platform.get_train_graph_logger()
graph.log_point("loss", 0.0, 0, 0)
(RUN / "written").touch()
while (RUN / "go").stat().st_size == 0:
    time.sleep(0.02)
for i in range(1, 3000):
    graph.log_point("loss", float(i), 0, i)
    print("x" * 100)
log.info("written to a full disk")
(RUN / "filled").unlink()
for i in range(3000, 3100):
    graph.log_point("loss", float(i), 0, i)
    print("after")
"""
    project_id = live.project("pass")
    live.ok("PUT", f"/projects/{project_id}/code/train.py", content=live.script(script).encode())
    folder = small_disk / (run := live.start_run(project_id)).id
    live.until(lambda: folder.is_dir())
    (folder / "go").touch()
    live.until(lambda: (folder / "written").exists())
    with (folder / "filled").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"\0" * 65536):
                pass
        except OSError:
            pass
    live.until(lambda: [m for m in live.messages(run) if m.reason and m.reason.code == "disk_full"])
    os.truncate(folder / "go", 1)
    ended = live.until_final(run)
    assert ended.state == "finished", (ended.reason, ended.stderr_tail)
    assert live.points(run).series[0].iters == tuple(range(3100))
    assert [m.text for m in live.messages(run) if m.reason is None] == ["written to a full disk"]
    assert live.client.get(f"/runs/{run.id}/logs/stdout").text.endswith("after\n")
