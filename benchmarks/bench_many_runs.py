"""Fifty runs at once, each 100 points a second: nothing may be lost, and the page of one stays two seconds behind.

Each point's value is the time when it was logged, so the answer that a page gets tells how old its newest point is.
When the last point arrived is told apart: then fifty processes end within a second, and nothing newer exists.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

from app.api_client import Api
from backend.contracts.runs import FINAL_STATES, RunCreate
from benchmarks.own_workstation import project_of, workstation

RUNS = int(os.environ.get("ARM_BENCH_RUNS", "50"))
POINTS_A_SECOND = 100
SECONDS = 30
SCRIPT = f"""
import os, pathlib, time
import PlatformAPI
while not (pathlib.Path(os.environ["ARM_RUN_DIR"]) / "go").exists():
    time.sleep(0.2)
graph = PlatformAPI.get_train_graph_logger()
started = time.monotonic()
for i in range({POINTS_A_SECOND * SECONDS}):
    time.sleep(max(0.0, started + i / {POINTS_A_SECOND} - time.monotonic()))
    graph.log_point("clock", time.time(), 0, i)
"""


def main() -> None:
    """Print how old the newest point was in the answers to one page, and how many points of all runs are there."""
    os.environ["ARM_CPU_SLOTS"] = str(RUNS)
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as home, workstation(Path(home)) as (api, _):
        project = project_of(api, SCRIPT)
        started = time.monotonic()
        runs = [api.start_run(RunCreate(project_id=project.id, kind="train")) for _ in range(RUNS)]
        wait_until_all_run(api)
        running = [run.id for run in api.runs(limit=RUNS) if run.state == "running"]
        print(f"{len(running)} of {RUNS} run after {time.monotonic() - started:.0f} s; now they log", flush=True)
        for run_id in running:
            (Path(home) / "runs" / run_id / "go").touch()
        ages, at_the_end_s = watch(api, running[len(running) // 2])
        totals = [
            sum(series.total for series in points.series) if (points := api.points(run.id)) else 0 for run in runs
        ]
        ended = [api.run(run.id) for run in runs]
    wanted = POINTS_A_SECOND * SECONDS
    print(f"points: {sum(totals)} of {RUNS * wanted}; runs that miss some: {sum(total != wanted for total in totals)}")
    for run in ended:
        if run.state != "finished":
            print(f"run {run.number} is {run.state}: {run.reason}")
    print(
        f"age of the newest point in the answer, s: median {statistics.median(ages):.2f}   "
        f"p95 {ages[int(0.95 * len(ages))]:.2f}   worst {ages[-1]:.2f}   ({len(ages)} answers; wanted: up to 2)\n"
        f"all scripts end in the same second: the last point is there {at_the_end_s:.2f} s after it was logged"
    )


def wait_until_all_run(api: Api) -> None:
    """Until no run waits or starts any more, so that all log at the same time."""
    while any(run.state in ("created", "queued", "starting") for run in api.runs(limit=RUNS)):
        time.sleep(1)


def watch(api: Api, watched: str) -> tuple[list[float], float]:
    """Ask for the points of one run as its page does, until all runs have ended.

    Ages of the newest point in s, ascending, in the answers that came while the script logged; and the age of the last
    point in the first answer that had it.
    """
    answers: list[tuple[float, float]] = []
    has_all = False
    looked_at = 0.0
    while True:
        points, now = api.points(watched), time.time()
        values = points.series[0].values if points and points.series else ()
        if values and values[-1] is not None and not has_all:
            answers.append((now, values[-1]))
            has_all = points.series[0].total == POINTS_A_SECOND * SECONDS
        if time.monotonic() - looked_at > 3:
            looked_at = time.monotonic()
            if all(run.state in FINAL_STATES for run in api.runs(limit=RUNS)):
                break
        time.sleep(0.5)
    last_logged_at = answers[-1][1]
    return sorted(now - value for now, value in answers if now <= last_logged_at), answers[-1][0] - last_logged_at


if __name__ == "__main__":
    main()
