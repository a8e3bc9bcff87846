"""Scripts that damage their own run folder: the run still ends as it should, keeps what is sound, and says the rest."""

import psutil
import pytest

from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import LiveWorkstation

# Inside bubblewrap most of this is impossible (test_isolation); the agent has to stand it where there is none.
pytestmark = pytest.mark.parametrize("live", ["process"], indirect=True)


def warnings(live: LiveWorkstation, run: Run) -> list[str]:
    return [m.reason.code for m in live.messages(run) if m.level == "warning" and m.reason]


def finished(live: LiveWorkstation, script: str) -> Run:
    run = live.until_final(live.start_run(live.project(script)))
    assert (run.state, run.exit_code) == ("finished", 0), run
    return run


def test_a_line_of_any_length_and_depth_does_not_block_those_after_it(live: LiveWorkstation) -> None:
    script = """
def raw(content):
    os.write(_fd, content + b"\\n")
point(0)
with open(f"/proc/self/fd/{_fd}", "ab") as file:
    file.write(b"x" * (40 << 20) + b"\\n")
point(1)
raw(b'{"k": "status", "t": 1e300, "what": "sdk_ready"}')
raw(b'{"k": "artifact", "t": 1, "path": "a", "info": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
raw(os.urandom(100_000))
point(2)
"""
    run = finished(live, script)
    (series,) = live.points(run).series
    assert series.iters == (0, 1, 2)
    assert set(warnings(live, run)) == {"malformed_events", "artifact_not_kept"}


def test_a_script_may_delete_its_own_folder(live: LiveWorkstation) -> None:
    script = """
import shutil
point(0)
(RUN / "written").touch()
time.sleep(1)
shutil.rmtree(RUN)
"""
    run = finished(live, script)
    (series,) = live.points(run).series
    assert series.iters == (0,) and warnings(live, run) == ["run_folder_gone"]


def test_pipes_and_links_in_place_of_files_neither_block_nor_leak(live: LiveWorkstation) -> None:
    (live.home / "secret").write_text("not for scripts")
    script = """
import hashlib
point(0)
(RUN / "stdout.log").unlink()
os.mkfifo(RUN / "stdout.log")
(RUN / "stderr.log").unlink()
(RUN / "stderr.log").symlink_to(RUN.parents[1] / "secret")
os.mkfifo(RUN / "artifacts" / "pipe")
event("artifact", path="pipe", kind="file", size=0, sha256=hashlib.sha256(b"").hexdigest())
time.sleep(1.5)
"""
    run = finished(live, script)
    assert warnings(live, run) == ["artifact_not_kept"]
    assert live.ok("GET", f"/runs/{run.id}/artifacts") == [] and "not for scripts" not in run.stderr_tail


def test_a_saved_file_that_is_deleted_is_missed(live: LiveWorkstation) -> None:
    script = """
import hashlib
for name in ("gone.pth", "kept.pth"):
    if name == "kept.pth":
        (RUN / "artifacts" / name).write_bytes(b"w")
    event("artifact", path=name, kind="pytorch", size=1, sha256=hashlib.sha256(b"w").hexdigest())
"""
    run = finished(live, script)
    artifacts = {a["path"] for a in live.ok("GET", f"/runs/{run.id}/artifacts")}
    assert "kept.pth" in artifacts and "gone.pth" not in artifacts
    (message,) = (m for m in live.messages(run) if m.reason)
    assert message.reason and message.reason.params["path"] == "gone.pth"


def test_a_syntax_error_is_the_reason_and_start_is_timed_without_the_sdk(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project("def x(:\n")))
    assert run.reason and run.reason.code == "script_failed"
    assert run.reason.params["error"].startswith("SyntaxError: ")
    assert run.timings.first_line_s is None
    assert run.timings.start_s and run.timings.total_s and 0 < run.timings.start_s < run.timings.total_s


def test_agents_of_hostile_runs_are_gone(live: LiveWorkstation) -> None:
    finished(live, "pass")
    worker = psutil.Process(live.workers[0].pid)
    live.until(lambda: len(worker.children()) == 1, 10)  # the spare one
