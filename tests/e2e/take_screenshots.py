"""Takes the pictures of the guide anew: `python -m tests.e2e.take_screenshots`, about ten minutes on two cores.

A workstation of its own is started, filled as a user would fill it (generated welds, a solution trained and tested, a
run that failed, a pipeline), and photographed in Chromium. `--review FOLDER` takes every page in either language,
either theme and either width instead, for a look at all of it; `--home FOLDER` keeps the data for the next time.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.api_client import Api
from backend.contracts.datasets import DemoImport
from backend.contracts.projects import ProjectCreate, SolutionCreate
from backend.contracts.reports import ResultPage
from backend.contracts.runs import FINAL_STATES, Run, RunCreate
from benchmarks.own_workstation import project_of, workstation, zip_folder
from tests.e2e.conftest import BROWSER_ARGUMENTS, ROOT

SHOTS = ROOT / "docs" / "screenshots"
IN_GUIDE = ("training", "home", "datasets", "annotate", "projects", "pipelines", "testing", "results", "solutions")
ALSO_DARK = ("training", "results")
IMAGES = 240
EPOCHS, LIVE_EPOCHS = 30, 120
REVIEWED = (("ru", "light", 1440), ("en", "dark", 1440), ("ru", "dark", 1000), ("en", "light", 1000))
PATIENCE_MS = 120_000
BROKEN = """
import PlatformAPI
PlatformAPI.save_progress_for_platform(10)
PlatformAPI.get_logger().info("opening the images")
open("images/weld_0001.jpg")
"""


@dataclass(frozen=True)
class Shown:
    """Where each page is to be opened: ids of what the workstation was filled with."""

    places: dict[str, str]
    live_run: str


def main() -> None:
    """Start, fill, photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--review", type=Path, help="take every page in every way into this folder")
    parser.add_argument("--home", type=Path, help="data folder to keep")
    chosen = parser.parse_args()
    with _home(chosen.home) as home, workstation(home) as (api, url), sync_playwright() as playwright:
        shown = fill(api, home)
        executable = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)
        try:
            if chosen.review:
                review(browser, url, shown, chosen.review)
            else:
                illustrate(browser, url, shown)
        finally:
            api.stop_run(shown.live_run)


@contextmanager
def _home(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="arm-shots-") as folder:
        yield Path(folder)


def fill(api: Api, home: Path) -> Shown:
    """What a user would have after a first day; what is there from the last time is left as it is."""
    notes = home / "shown.json"
    if not notes.exists():
        notes.write_text(json.dumps(_first_day(api)))
    made = json.loads(notes.read_text())
    small = {"image_size": 96, "width": 8}
    live = api.start_run(_training(made["project"], made["dataset"], LIVE_EPOCHS, network=small))
    while api.run(live.id).progress < 4:
        time.sleep(1)
    image = _best_image(api.results(made["test"], limit=200))
    places = {
        "home": "",
        "datasets": f"datasets?dataset={made['dataset']}",
        "annotate": f"annotate?item={made['item']}",
        "projects": f"projects?project={made['project']}",
        "pipelines": f"pipelines?project={made['pipelines']}&pipeline=classifier.yaml",
        "training": f"training?run={live.id}",
        "testing": f"testing?run={made['test']}",
        "results": f"results?run={made['test']}&image={image}",
        "solutions": f"solutions?solution={made['solution']}",
        "queue": "queue",
        "failed": f"training?run={made['failed']}",
        "finished": f"training?run={made['train']}",
        "export": f"solutions?project={made['project']}&run={made['train']}",
    }
    return Shown(places, live.id)


def _first_day(api: Api) -> dict[str, str]:
    dataset = api.import_demo(DemoImport(name="weld-seams", images=IMAGES))
    project = api.create_project(ProjectCreate(name="quick_detector"))
    with tempfile.TemporaryDirectory() as folder:
        archive = zip_folder(ROOT / "solutions" / "quick_detector", Path(folder) / "code.zip")
        with archive.open("rb") as content:
            project = api.upload_code(project.id, content)
    broken_project = project_of(api, BROKEN, "wrong_path")
    broken = api.start_run(RunCreate(project_id=broken_project.id, kind="train"))
    _ended(api, broken)
    train = _ended(api, api.start_run(_training(project.id, dataset.id, EPOCHS)))
    stopped = api.start_run(_training(project.id, dataset.id, EPOCHS))
    while api.run(stopped.id).progress < 5:
        time.sleep(0.5)
    api.stop_run(stopped.id)
    _ended(api, stopped)
    test = RunCreate(project_id=project.id, kind="test", dataset_id=dataset.id, train_run_id=train.id)
    tested = _ended(api, api.start_run(test))
    solution = api.create_solution(
        SolutionCreate(
            project_id=project.id,
            name="quick_detector",
            train_file="train.py",
            test_file="test.py",
            main_file="test.py",
            train_run_id=train.id,
        )
    )
    items = api.items(dataset.id, split="train", limit=100).items
    item = max(items, key=lambda one: len(one.markup.annotation))
    pipelines = api.open_pipeline_examples(ProjectCreate(name="pipelines"))
    return {
        "dataset": dataset.id,
        "project": project.id,
        "failed": broken.id,
        "train": train.id,
        "test": tested.id,
        "solution": solution.id,
        "item": item.id,
        "pipelines": pipelines.id,
    }


def _training(project_id: str, dataset_id: str, epochs: int, **groups: dict[str, int]) -> RunCreate:
    params = {"basic params": {"epochs": epochs, "batch_size": 6}, **groups}
    return RunCreate(project_id=project_id, kind="train", dataset_id=dataset_id, params=params)


def _ended(api: Api, run: Run) -> Run:
    while run.state not in FINAL_STATES:
        time.sleep(1)
        run = api.run(run.id)
    return run


def _best_image(page: ResultPage) -> int:
    """Number of the image with the most boxes that the model found, from 1."""
    found = [
        sum(box.confidence is not None and box.confidence > 0.3 for box in one.prediction.annotation)
        for one in page.results
    ]
    return found.index(max(found)) + 1


def illustrate(browser: Browser, url: str, shown: Shown) -> None:
    """The pictures of the guide."""
    for language, theme in product(("en", "ru"), ("light", "dark")):
        page = _page(browser, language, theme, 1440)
        for name in IN_GUIDE if theme == "light" else ALSO_DARK:
            _open(page, f"{url}/{shown.places[name]}", language)
            path = SHOTS / f"{name}-{language}-{theme}.png"
            _take(page, path)
            print(path.relative_to(ROOT), flush=True)
        page.context.close()


def review(browser: Browser, url: str, shown: Shown, folder: Path) -> None:
    """Every page in every way, whole pages, too large for a guide."""
    folder.mkdir(parents=True, exist_ok=True)
    for language, theme, width in REVIEWED:
        page = _page(browser, language, theme, width)
        for name, place in shown.places.items():
            _open(page, f"{url}/{place}", language)
            _take(page, folder / f"{name}-{language}-{theme}-{width}.png")
        page.context.close()


def _page(browser: Browser, language: str, theme: str, width: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        locale={"en": "en-GB", "ru": "ru-RU"}[language],
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id=os.environ.get("TZ", "Europe/Moscow"),
    )
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def _open(page: Page, address: str, language: str) -> None:
    """Open and wait until nothing moves any more."""
    page.goto(address)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stSkeleton").filter(visible=True)).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.wait_for_timeout(2_500)  # graphs and thumbnails are drawn after the page


def _take(page: Page, path: Path) -> None:
    """A picture without the notice that a part is away: a busy machine answers late."""
    notice = page.locator(".arm-reconnecting")
    is_clear = False
    while not is_clear:
        expect(notice).to_be_hidden(timeout=PATIENCE_MS)
        page.screenshot(path=path)
        is_clear = notice.is_hidden()


if __name__ == "__main__":
    main()
