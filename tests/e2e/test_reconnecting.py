"""Every part of the workstation is killed in turn during a run: the page says so, recovers alone, forgets nothing."""

import contextlib
import io
import re
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from backend.contracts.parameters import Parameter, ParameterSchema
from backend.contracts.projects import ProjectCreate, ProjectUpdate
from backend.contracts.runs import Run, RunCreate
from tests.e2e.conftest import ROOT, Workstation
from tests.integration import uploads

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PARTS = {
    "api": "backend.main:app_from_environment",
    "mongod": "bin/mongod",
    "redis": "valkey-server",
    "worker": "backend.runs.worker",
    "ui": "app.server",
}
PAGES = ("training", "testing", "results", "queue", "datasets", "annotate", "projects", "solutions")
X_RANGE = "document.querySelector('.arm-charts__plot')._fullLayout.xaxis.range"
FAULTS = "[data-testid=stException], [data-testid=stAlertContentError], [data-testid=stAlertContentWarning]"
BACK_WITHIN_MS = 60_000
SHOTS = ROOT / "test-results" / "reconnecting"
SCRIPT = """
import time
import PlatformAPI
graph = PlatformAPI.get_train_graph_logger()
for i in range(36_000):
    graph.log_point("loss", 1 / (i + 1), 0, i)
    if i % 10 == 0:
        PlatformAPI.get_logger().info(f"step {i}")
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def run(workstation: Workstation) -> Iterator[Run]:
    api = workstation.api
    project = api.create_project(ProjectCreate(name="Endless"))
    api.upload_code(project.id, io.BytesIO(uploads.zip_of({"train.py": SCRIPT.encode()})))
    epochs = Parameter(name="epochs", type="int", default=3, minimum=1, maximum=100)
    api.update_project(project.id, ProjectUpdate(parameters=ParameterSchema(train=(epochs,))))
    run = api.start_run(RunCreate(project_id=project.id, kind="train"))
    yield run
    api.stop_run(run.id)


@pytest.fixture(scope="module")
def page(workstation: Workstation, run: Run, browser_context: BrowserContext) -> Page:
    """The run's page with everything on it that could be lost: a typed parameter, an open form, a zoomed graph."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = browser_context.new_page()
    page.goto(f"{workstation.url}/training?run={run.id}")
    expect(page.locator(".arm-charts")).to_have_attribute("data-points", re.compile(r"\d\d+"), timeout=60_000)
    page.get_by_text("New training").click()
    epochs = page.get_by_label(re.compile("^epochs"))
    epochs.fill("77")
    epochs.press("Enter")
    settle(page)
    zoom(page)
    return page


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_told_and_the_page_goes_on(workstation: Workstation, run: Run, page: Page, part: str) -> None:
    zoomed = page.evaluate(X_RANGE)
    killed = kill(workstation, part)
    if part in ("api", "mongod", "ui"):
        expect(page.locator(".arm-reconnecting")).to_contain_text("Reconnecting", timeout=20_000)
        page.screenshot(path=SHOTS / f"{part}-away.png")
    until_restarted(workstation, part, killed)
    expect(page.locator(".arm-reconnecting")).to_be_hidden(timeout=BACK_WITHIN_MS)
    until_alive(page)
    drawn = int(page.locator(".arm-charts").get_attribute("data-points") or 0)
    page.wait_for_function(f"+document.querySelector('.arm-charts').dataset.points > {drawn + 20}", timeout=30_000)

    assert page.evaluate(X_RANGE) == zoomed, "the zoom is lost"
    expect(page.get_by_label(re.compile("^epochs"))).to_be_visible()
    expect(page.get_by_label(re.compile("^epochs"))).to_have_value("77")
    expect(page.get_by_role("radio", name="Plots")).to_have_attribute("aria-checked", "true")
    expect(page.locator(FAULTS)).to_have_count(0)
    assert workstation.api.run(run.id).state == "running"


def test_clicks_during_an_outage_are_followed_after_it(workstation: Workstation, run: Run, page: Page) -> None:
    """A tab chosen while the API is away opens when it is back, and what was typed is kept."""
    killed = kill(workstation, "api")
    expect(page.locator(".arm-reconnecting")).to_be_visible(timeout=20_000)
    page.get_by_role("radio", name="Messages").click()
    epochs = page.get_by_label(re.compile("^epochs"))
    epochs.fill("88")
    epochs.press("Enter")
    until_restarted(workstation, "api", killed)
    expect(page.locator(".arm-reconnecting")).to_be_hidden(timeout=BACK_WITHIN_MS)
    settle(page)
    expect(page.get_by_role("radio", name="Messages")).to_have_attribute("aria-checked", "true")
    expect(page.locator(".arm-message").first).to_be_visible()
    expect(page.get_by_label(re.compile("^epochs"))).to_have_value("88")


@pytest.fixture
def unattended(workstation: Workstation) -> Iterator[None]:
    """Nobody starts again what dies."""
    supervisor = psutil.Process(workstation.pid)
    supervisor.suspend()
    yield
    supervisor.resume()


def test_an_outage_that_lasts_is_explained_and_ends_alone(
    workstation: Workstation, page: Page, unattended: None
) -> None:
    page.get_by_role("radio", name="Plots").click()
    killed = kill(workstation, "ui")
    expect(page.locator(".arm-reconnecting")).to_contain_text("is arm up still running", timeout=60_000)
    page.wait_for_timeout(2_000)
    expect(page.get_by_text("Are you connected to the internet?")).not_to_be_visible()
    page.screenshot(path=SHOTS / "ui-away-for-long.png")
    psutil.Process(workstation.pid).resume()
    until_restarted(workstation, "ui", killed)
    expect(page.locator(".arm-reconnecting")).to_be_hidden(timeout=2 * BACK_WITHIN_MS)
    until_alive(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label(re.compile("^epochs"))).to_have_value("88")


def test_pages_opened_without_the_api_say_what_happened_and_come_alone(
    workstation: Workstation, browser_context: BrowserContext, unattended: None
) -> None:
    killed = kill(workstation, "api")
    pages = {name: browser_context.new_page() for name in ("", *PAGES)}
    for name, page in pages.items():
        page.goto(f"{workstation.url}/{name}")
        box = page.locator("[data-testid=stAlertContentWarning]")
        expect(box).to_contain_text("does not answer")
        expect(box).to_contain_text("arm up")
        page.screenshot(path=SHOTS / f"{name or 'home'}-without-api.png")
    psutil.Process(workstation.pid).resume()
    until_restarted(workstation, "api", killed)
    for page in pages.values():
        page.bring_to_front()
        expect(page.locator(FAULTS)).to_have_count(0, timeout=BACK_WITHIN_MS)
        settle(page)
        page.close()


def process_of(workstation: Workstation, part: str) -> psutil.Process | None:
    """The part's process among the children of `arm up`."""
    for child in psutil.Process(workstation.pid).children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if PARTS[part] in " ".join(child.cmdline()):
                return child
    return None


def kill(workstation: Workstation, part: str) -> int:
    process = process_of(workstation, part)
    assert process is not None, f"{part} is not among the children of arm up"
    process.send_signal(signal.SIGKILL)
    return process.pid


def until_restarted(workstation: Workstation, part: str, killed: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        process = process_of(workstation, part)
        if process is not None and process.pid != killed:
            return
        time.sleep(0.1)
    raise AssertionError(f"{part} was not started again")


def until_alive(page: Page) -> None:
    """Wait until the page's own session answers again: the status counts seconds."""
    facts = page.get_by_text(re.compile("running for"))
    expect(facts).not_to_have_text(facts.inner_text(), timeout=2 * BACK_WITHIN_MS)
    settle(page)


def zoom(page: Page) -> None:
    """Draw a frame in the chart, once the form above it has unfolded."""
    page.wait_for_timeout(1_000)
    box = page.locator(".arm-charts__plot .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 120, steps=6)
    page.mouse.up()
    page.wait_for_function(f"{X_RANGE}[0] > 0")


def settle(page: Page) -> None:
    """Wait until Streamlit has run the page."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
