"""A live run in a real browser: points appear by themselves, zoom stays, the end is noticed, nothing goes outside."""

import io
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from backend.contracts.projects import ProjectCreate
from backend.contracts.reports import PointsReply
from backend.contracts.runs import RunCreate
from tests.e2e.conftest import Workstation
from tests.integration import uploads
from tests.unit.app import contract_objects, contract_server
from tests.unit.app.contract_server import World

ROOT = Path(__file__).resolve().parents[2]
SEEN_WITHIN_MS = 2_000
X_RANGE = "document.querySelector('.arm-charts__plot')._fullLayout.xaxis.range"
LONG_SCRIPT = """
import PlatformAPI
graph = PlatformAPI.get_train_graph_logger()
for i in range(20_000):
    graph.log_point("long", 1000.0 if i == 7_777 else float("nan") if i == 9_000 else i % 100 / 100, 0, i)
"""

pytestmark = pytest.mark.e2e


@pytest.fixture
def world() -> World:
    world = World()
    world.projects["p1"] = contract_objects.project()
    world.runs["r1"] = contract_objects.run(state="running", progress=10, finished_at=None)
    return world


@pytest.fixture
def ui(world: World) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with contract_server.serve(contract_server.create_app(world)) as backend:
        command = [sys.executable, "-m", "app.server", "--port", str(port), "--api-url", f"{backend}/api"]
        environment = {**os.environ, "ARM_API_TOKEN": contract_server.TOKEN}
        with subprocess.Popen(command, cwd=ROOT, env=environment) as server:
            try:
                wait_until_answering(f"http://127.0.0.1:{port}/healthz", server)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()
                server.wait(20)


@pytest.fixture
def page(browser_context: BrowserContext) -> Iterator[Page]:
    page = browser_context.new_page()
    yield page
    page.close()


def test_a_live_run_draws_itself(world: World, ui: str, page: Page) -> None:
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if "127.0.0.1" not in request.url else None)
    page.goto(f"{ui}/training?run=r1")
    charts = page.locator(".arm-charts")
    expect(charts).to_have_attribute("data-state", "empty", timeout=30_000)

    show_points(world, version=1, count=5)
    expect(page.locator(".arm-charts__card")).to_have_count(2, timeout=SEEN_WITHIN_MS + 3_000)  # plotly loads once
    assert page.locator(".arm-charts__title").all_inner_texts() == ["loss", "mAP"]

    show_points(world, version=2, count=50)
    expect(charts).to_have_attribute("data-version", "2", timeout=SEEN_WITHIN_MS)

    zoom(page)
    zoomed = page.evaluate(X_RANGE)
    show_points(world, version=3, count=80)
    expect(charts).to_have_attribute("data-version", "3", timeout=SEEN_WITHIN_MS)
    assert page.evaluate(X_RANGE) == zoomed

    page.get_by_role("radio", name="Messages").click()
    page.get_by_role("radio", name="Plots").click()
    expect(page.locator(".arm-charts__card").first).to_be_visible()
    assert page.evaluate(X_RANGE) == zoomed, "another tab of the page must not throw the zoom away"

    show_points(world, version=4, count=90)
    world.runs["r1"] = contract_objects.run(state="finished")
    expect(page.get_by_text("Test these weights")).to_be_visible(timeout=10_000)
    expect(charts).to_have_attribute("data-version", "4", timeout=SEEN_WITHIN_MS)
    expect(charts).to_have_attribute("data-state", "final", timeout=SEEN_WITHIN_MS)
    asked = len(points_requests(world))
    page.wait_for_timeout(2_500)
    assert len(points_requests(world)) == asked, "a final run is not asked again"
    assert outside == []


def test_lost_points_are_told_and_come_back(world: World, ui: str, page: Page) -> None:
    show_points(world, version=1, count=5)
    page.goto(f"{ui}/training?run=r1")
    charts = page.locator(".arm-charts")
    expect(charts).to_have_attribute("data-state", "live", timeout=30_000)
    unavailable = contract_server.ErrorReply(code="store_unavailable", message="no")
    world.failures["GET", "/runs/r1/points"] = (503, unavailable)
    expect(page.locator(".arm-charts__status")).to_have_text("Reconnecting…", timeout=10_000)
    world.failures.clear()
    expect(charts).to_have_attribute("data-state", "live", timeout=15_000)


def show_points(world: World, version: int, count: int) -> None:
    names = ("train/loss", "val/loss", "mAP")
    series = tuple(contract_objects.series(name, [1 / (i + 1) for i in range(count)]) for name in names)
    world.points["r1"] = PointsReply(version=version, series=series)


def points_requests(world: World) -> list[str]:
    return [path for _, path, _, _ in world.requests if path.endswith("/points")]


def zoom(page: Page, left: float = 0.1, right: float = 0.5, down: float = 80) -> None:
    """Draw a frame in the first chart between two shares of its width."""
    box = page.locator(".arm-charts__plot .nsewdrag").first.bounding_box()
    assert box is not None
    before = page.evaluate(X_RANGE)
    page.mouse.move(box["x"] + left * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + 40 + down, steps=6)
    page.mouse.up()
    page.wait_for_function(f"before => String({X_RANGE}) !== String(before)", arg=before)


def wait_until_answering(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")


def test_zoom_brings_exact_points_and_a_double_click_the_overview(workstation: Workstation, page: Page) -> None:
    api = workstation.api
    project = api.create_project(ProjectCreate(name="Long"))
    api.upload_code(project.id, io.BytesIO(uploads.zip_of({"train.py": LONG_SCRIPT.encode()})))
    run = api.start_run(RunCreate(project_id=project.id, kind="train"))
    page.goto(f"{workstation.url}/training?run={run.id}")
    charts, card = page.locator(".arm-charts"), page.locator(".arm-charts__card")
    expect(charts).to_have_attribute("data-points", "20000", timeout=60_000)
    expect(charts).to_have_attribute("data-state", "final", timeout=30_000)
    expect(card).to_have_attribute("data-exact", "false")
    expect(page.locator(".arm-charts__last")).to_have_text("min 0  max 1000  last 0.99")
    expect(page.locator(".arm-charts__head")).to_have_attribute("title", re.compile(r"max 1000 \(step 7777\)"))
    drawn = "document.querySelector('.arm-charts__plot').data"
    assert 7_777 in page.evaluate(f"{drawn}[0].x") and len(page.evaluate(f"{drawn}[0].x")) <= 1000
    assert page.evaluate(f"[{drawn}[1].x, {drawn}[1].text]") == [[9_000], ["nan"]]

    zoom(page, left=0.44, right=0.48, down=2)
    expect(card).to_have_attribute("data-exact", "true", timeout=SEEN_WITHIN_MS)
    low, high = page.evaluate(X_RANGE)
    assert 0 < high - low < 1_000
    steps, values = page.evaluate(f"[{drawn}[0].x, {drawn}[0].y]")
    assert steps == list(range(steps[0], steps[-1] + 1)) and steps[0] <= low and high <= steps[-1]
    assert values == [None if i == 9_000 else i % 100 / 100 for i in steps]

    box = page.locator(".arm-charts__plot .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(card).to_have_attribute("data-exact", "false", timeout=SEEN_WITHIN_MS)
    low, high = page.evaluate(X_RANGE)
    assert low <= 0 and high >= 19_999
