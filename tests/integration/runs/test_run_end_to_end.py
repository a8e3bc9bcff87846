"""A run from POST /runs to its last artifact, with a real API, worker, agent and script."""

from tests.integration.runs.live_workstation import LiveWorkstation

REPORTS_EVERYTHING = """
import hashlib
from helper import VALUE
event("status", what="sdk_ready")
print("hello from", Path.cwd().name, VALUE, sys.argv[1:])
print("careful", file=sys.stderr)
for i in range(100):
    point(i)
message("halfway")
message("odd", level="warning")
event("progress", v=50)
event("point", name="loss", v=None, special="nan", e=1, i=100, info={"why": "diverged"})
event("metric", name="m", kind="confusion", data={"labels": ["a", "b"], "values": [[1, 2], [3, 4]]}, description="")
(RUN / "artifacts" / "weights").mkdir()
(RUN / "artifacts" / "weights" / "best.pth").write_bytes(b"w" * 3000)
event("artifact", path="weights/best.pth", kind="pytorch", size=3000,
      sha256=hashlib.sha256(b"w" * 3000).hexdigest(), info={"best": True})
event("progress", v=100)
"""


def test_a_run_reports_everything_and_finishes(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project(REPORTS_EVERYTHING), arguments="--name 'two words'"))
    assert (run.state, run.exit_code, run.progress) == ("finished", 0, 100), run
    assert run.reason and run.reason.code == "finished"
    assert run.message_counts == {"info": 1, "warning": 1, "error": 0}
    assert run.isolation in ("bubblewrap", "process") and "careful" in run.stderr_tail
    timings = run.timings
    assert timings.queue_s and timings.first_line_s and timings.total_s
    assert 0 < timings.queue_s <= timings.total_s and 0 < timings.first_line_s < timings.total_s
    (series,) = live.points(run).series
    assert series.values == (*map(float, range(100)), None) and series.steps == tuple(range(101))
    assert [m.text for m in live.messages(run)] == ["halfway", "odd"]
    (metric,) = live.ok("GET", f"/runs/{run.id}/metrics")
    assert metric["data"]["values"] == [[1, 2], [3, 4]]
    artifacts = {a["path"]: a for a in live.ok("GET", f"/runs/{run.id}/artifacts")}
    assert artifacts.keys() == {"weights/best.pth", "stdout.log", "stderr.log"}
    weights = live.client.get(f"/objects/{artifacts['weights/best.pth']['sha256']}")
    assert weights.content == b"w" * 3000
    assert live.client.get(f"/runs/{run.id}/logs/stdout").text == "hello from code 7 ['--name', 'two words']\n"
