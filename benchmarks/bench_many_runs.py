"""Fifty runs at once, each 100 points a second: nothing may be lost, and the page of one stays two seconds behind.

Each point's value is the time when it was logged, so the answer that a page gets tells how old its newest point is.
"""

import io
import os
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

from app.api_client import Api
from backend.contracts.projects import ProjectCreate
from backend.contracts.runs import FINAL_STATES, Run, RunCreate
from benchmarks.own_workstation import workstation

RUNS = int(os.environ.get("ARM_BENCH_RUNS", "50"))
POINTS_A_SECOND = 100
SECONDS = 30
SCRIPT = f"""
import time
import PlatformAPI
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
        project = api.create_project(ProjectCreate(name="clock"))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as target:
            target.writestr("train.py", SCRIPT)
        project = api.upload_code(project.id, archive)
        started = time.monotonic()
        runs = [api.start_run(RunCreate(project_id=project.id, kind="train")) for _ in range(RUNS)]
        ages, most_at_once = watch(api, runs, RUNS // 2)
        took_s = time.monotonic() - started
        totals = [
            sum(series.total for series in points.series) if (points := api.points(run.id)) else 0 for run in runs
        ]
        states = [api.run(run.id).state for run in runs]
    wanted = POINTS_A_SECOND * SECONDS
    print(f"{RUNS} runs, up to {most_at_once} at once, {took_s:.0f} s in all; ended well: {states.count('finished')}")
    print(f"points: {sum(totals)} of {RUNS * wanted}; runs that miss some: {sum(total != wanted for total in totals)}")
    print(
        f"age of the newest point in the answer, s: median {statistics.median(ages):.2f}   "
        f"p95 {ages[int(0.95 * len(ages))]:.2f}   worst {ages[-1]:.2f}   ({len(ages)} answers; wanted: up to 2)"
    )


def watch(api: Api, runs: list[Run], watched: int) -> tuple[list[float], int]:
    """Ask for the points of one run as its page does, until all runs have ended; ages while that one ran, ascending."""
    ages: list[float] = []
    most, looked_at = 0, 0.0
    while True:
        points = api.points(runs[watched].id)
        values = points.series[0].values if points and points.series else ()
        if values and values[-1] is not None and api.run(runs[watched].id).state == "running":
            ages.append(time.time() - values[-1])
        if time.monotonic() - looked_at > 3:
            looked_at = time.monotonic()
            states = [run.state for run in api.runs(limit=RUNS)]
            most = max(most, states.count("running"))
            if all(state in FINAL_STATES for state in states):
                return sorted(ages), most
        time.sleep(0.5)


if __name__ == "__main__":
    main()
