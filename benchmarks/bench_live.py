"""From `log_point` in a script to the point being drawn in a browser, in a real workstation and a real Chromium.

The script logs the time as the value of a point; the page compares what its chart has drawn with its own clock.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from backend.contracts.runs import RunCreate
from benchmarks.own_workstation import project_of, workstation

POINTS = 60
SCRIPT = f"""
import time
import PlatformAPI
graph = PlatformAPI.get_train_graph_logger()
for i in range({POINTS} * 4):
    time.sleep(0.487)
    graph.log_point("clock", time.time(), 0, i)
"""
# Resolves with the seconds between a point's value and the moment when the chart holds it.
NEXT_POINT = """() => new Promise(resolve => {
  const last = () => document.querySelector('.arm-charts__plot')?.data?.[0]?.y?.at(-1);
  const before = last();
  const timer = setInterval(() => {
    const now = last();
    if (now !== undefined && now !== before) { clearInterval(timer); resolve(Date.now() / 1000 - now); }
  }, 10);
})"""
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def main() -> None:
    """Print median, 95th percentile and worst of the newest point's age when it appears."""
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as home, workstation(Path(home)) as (api, url):
        project = project_of(api, SCRIPT)
        run = api.start_run(RunCreate(project_id=project.id, kind="train"))
        with sync_playwright() as playwright:
            path = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None
            page = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS).new_page()
            page.goto(f"{url}/training?run={run.id}")
            page.evaluate(NEXT_POINT)
            ages = sorted(page.evaluate(NEXT_POINT) for _ in range(POINTS))
        api.stop_run(run.id)
    print(
        f"log_point to the eye, s: median {statistics.median(ages):.2f}   "
        f"p95 {ages[int(0.95 * len(ages))]:.2f}   worst {ages[-1]:.2f}   ({len(ages)} points; wanted: under 2)"
    )


if __name__ == "__main__":
    main()
