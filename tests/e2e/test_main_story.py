"""The main job in a real browser: import, upload, set a parameter, train and watch, test, look at boxes, export."""

import re
import time
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.conftest import ROOT, Workstation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SHOTS = ROOT / "test-results" / "main-story"
EPOCHS = 3
MINUTES_MS = 60_000
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 1000, "height": 900}
IS_WHOLE = """element => element.scrollWidth === element.clientWidth
    && element.getBoundingClientRect().right <= window.innerWidth"""


@pytest.fixture(scope="module")
def page(workstation: Workstation, browser_context: BrowserContext) -> Page:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = browser_context.new_page()
    page.goto(workstation.url)
    return page


@pytest.fixture(scope="module")
def solution_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = ROOT / "solutions" / "quick_detector"
    archive = tmp_path_factory.mktemp("upload") / "quick_detector.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                target.write(path, path.relative_to(folder))
    return archive


def test_main_story(page: Page, workstation: Workstation, solution_zip: Path) -> None:
    import_demo(page, workstation)
    project_id = create_project(page, workstation, solution_zip)
    run_id = start_training(page, project_id)
    watch_it_live(page, workstation, run_id)
    test_run_id = run_test(page, workstation, project_id, run_id)
    look_at_boxes(page, workstation, test_run_id)
    export_solution(page, workstation)
    delete_the_test(page, workstation, test_run_id)


def import_demo(page: Page, workstation: Workstation) -> None:
    press(page, "import_demo")
    expect(page.locator(".st-key-step_datasets")).to_contain_text("1 dataset", timeout=MINUTES_MS)
    dataset = workstation.api.datasets()[0]
    page.goto(f"{workstation.url}/datasets?dataset={dataset.id}")
    expect(page.get_by_role("img", name=re.compile(r"^weld_")).first).to_be_visible(timeout=MINUTES_MS)
    shot(page, "1-datasets")
    canvas_fits_a_narrow_window(page, workstation)


def canvas_fits_a_narrow_window(page: Page, workstation: Workstation) -> None:
    """The whole image is seen; in the window made wide again it is as large as before."""
    page.goto(f"{workstation.url}/annotate")
    image = page.locator(".dc-scroll").last  # for a moment the canvas of the other size is still there
    expect(image).to_have_js_property("clientWidth", 760, timeout=MINUTES_MS)
    page.set_viewport_size(NARROW)
    expect(image).not_to_have_js_property("clientWidth", 760, timeout=MINUTES_MS)
    wait_until_whole(image)  # its place shrinks first, then the canvas
    shot(page, "1-annotate-narrow")
    page.set_viewport_size(WIDE)
    expect(image).to_have_js_property("clientWidth", 760, timeout=MINUTES_MS)


def create_project(page: Page, workstation: Workstation, solution_zip: Path) -> str:
    page.goto(f"{workstation.url}/projects")
    page.get_by_label("Name").first.fill("Quick detector")
    press(page, "create_project_submit")
    page.wait_for_url(re.compile(r"project="))
    page.locator(".arm-uploader input[type=file]").first.set_input_files(solution_zip)
    page.locator(".arm-uploader button.start").first.click()
    expect(page.get_by_text("train.py").first).to_be_visible()
    expect(page.locator(".st-key-to_training button")).to_be_enabled()
    shot(page, "2-project")
    page.set_viewport_size(NARROW)
    wait_until_whole(page.locator("[class*=st-key-code_list_] .dvn-scroller"))
    page.set_viewport_size(WIDE)
    match = re.search(r"project=([0-9a-f]+)", page.url)
    assert match
    return match[1]


def start_training(page: Page, project_id: str) -> str:
    press(page, "to_training")
    epochs = page.get_by_label(re.compile(r"^epochs"))
    epochs.fill(str(EPOCHS))
    epochs.press("Enter")
    settle(page)
    shot(page, "3-parameters")
    press(page, f"launch_train_{project_id}_start")
    page.wait_for_url(re.compile(r"run="))
    match = re.search(r"run=([0-9a-f]+)", page.url)
    assert match
    return match[1]


def watch_it_live(page: Page, workstation: Workstation, run_id: str) -> None:
    """Progress, a message and a plotted point are on the page while the script still runs."""
    charts = page.locator(".arm-charts")
    expect(charts).to_have_attribute("data-version", re.compile(r"[1-9]"), timeout=2 * MINUTES_MS)
    expect(page.get_by_text(re.compile(r"^([1-9]|[1-9]\d) ?%$")).first).to_be_visible(timeout=MINUTES_MS)
    page.get_by_role("radio", name="Messages").click()
    expect(page.locator(".arm-message").first).to_be_visible()
    assert workstation.api.run(run_id).state == "running"
    shot(page, "4-training-messages")
    page.get_by_role("radio", name="Plots").click()
    shot(page, "5-training-live")
    expect(page.get_by_text("Test these weights")).to_be_visible(timeout=5 * MINUTES_MS)
    run = workstation.api.run(run_id)
    assert run.params["basic params"]["epochs"] == EPOCHS
    assert run.progress == 100
    shot(page, "6-training-finished")


def run_test(page: Page, workstation: Workstation, project_id: str, run_id: str) -> str:
    page.get_by_text("Test these weights").click()
    press(page, f"launch_test_{project_id}_start")
    page.wait_for_url(re.compile(r"[?&]run="))
    page.get_by_role("tab", name=re.compile("onfusion")).first.click(timeout=3 * MINUTES_MS)
    expect(page.locator(".js-plotly-plot .heatmaplayer").first).to_be_attached()
    shot(page, "7-confusion-matrix")
    run = workstation.api.runs(kind="test")[0]
    assert run.train_run_id == run_id
    assert {metric.kind for metric in workstation.api.metrics(run.id)} >= {"confusion", "table", "histogram"}
    return run.id


def look_at_boxes(page: Page, workstation: Workstation, run_id: str) -> None:
    with_truth = next(
        number
        for number, result in enumerate(workstation.api.results(run_id, limit=200).results, start=1)
        if result.truth is not None and result.truth.annotation
    )
    page.goto(f"{workstation.url}/results?run={run_id}&image={with_truth}&conf=1")
    expect(page.locator("g.truth rect.box").first).to_be_visible()
    shot(page, "8-results")
    press(page, "with_truth")
    expect(page.locator("g.truth")).to_have_count(0)


def export_solution(page: Page, workstation: Workstation) -> None:
    project = workstation.api.projects()[0]
    page.goto(f"{workstation.url}/solutions?project={project.id}")
    page.locator("[data-testid=stForm] button, .st-key-export button").last.click()
    expect(page.get_by_text("Quick detector").first).to_be_visible()
    settle(page)
    shot(page, "9-solution")
    solution = workstation.api.solutions()[0]
    assert (solution.name, solution.version, solution.train_file) == ("Quick detector", 1, "train.py")


def delete_the_test(page: Page, workstation: Workstation, run_id: str) -> None:
    folder = workstation.home / "runs" / run_id
    assert folder.exists()
    page.goto(f"{workstation.url}/results?run={run_id}")
    press(page, "delete_run")
    expect(page.get_by_role("dialog")).to_contain_text("deleted for good")
    shot(page, "10-delete")
    press(page, "delete_runs_dialog_agree")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("!location.search.includes('run=')")
    assert run_id not in {run.id for run in workstation.api.runs()}
    deadline = time.monotonic() + 90  # the worker's next look at its disk
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def press(page: Page, key: str) -> None:
    page.locator(f".st-key-{key} button, .st-key-{key} label").first.click()


def wait_until_whole(element: Locator) -> None:
    """Wait until all of its content is seen, inside the window."""
    deadline = time.monotonic() + MINUTES_MS / 1000
    while not element.evaluate(IS_WHOLE):
        assert time.monotonic() < deadline, f"a part of {element} is out of sight"
        time.sleep(0.1)


def settle(page: Page) -> None:
    """Wait until Streamlit has run the page."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def shot(page: Page, name: str) -> None:
    settle(page)
    page.screenshot(path=SHOTS / f"{name}.png")
