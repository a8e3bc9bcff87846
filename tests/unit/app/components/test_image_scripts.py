"""The two scripts that draw images, run in a real browser: hostile names stay text, zoom keeps its point."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from app.components import dataset_grid
from app.components.dataset_grid import _card
from tests.unit.app import data_objects
from tests.unit.app.data_objects import HOSTILE

FOLDER = Path(dataset_grid.__file__).parent
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser_page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(status=200, content_type="text/html", body="<body></body>"))
        page.goto("http://ui.test/")
        yield page
        browser.close()


def load(page, script):
    source = json.dumps((FOLDER / script).read_text("utf-8"))
    page.evaluate(
        f"async () => {{ const url = URL.createObjectURL(new Blob([{source}], {{type: 'text/javascript'}}));"
        " window.script = await import(url); }"
    )


def test_hostile_names_in_the_grid_stay_text(browser_page):
    item = data_objects.item(
        name=HOSTILE, markup=data_objects.markup((HOSTILE, 1, 2, 30, 40), ("__proto__", 1, 1, 9, 9))
    )
    data = {"items": [_card(item)], "colours": {HOSTILE: "#ff0000"}, "unknown": "#999999", "labels": {"noBoxes": ""}}
    load(browser_page, "dataset_grid.js")
    browser_page.set_content('<div id="parent"><div class="arm-grid"></div></div>')
    browser_page.evaluate(
        "data => script.default({data, parentElement: document.getElementById('parent'),"
        " setTriggerValue: (name, value) => (window.opened = value)})",
        data,
    )
    browser_page.locator(".card").click()
    assert browser_page.evaluate("window.opened") == "i1"
    assert browser_page.evaluate("window.hacked") is None
    assert browser_page.locator(".name").inner_text() == HOSTILE
    assert browser_page.locator("img").count() == 1
    strokes = browser_page.eval_on_selector_all("rect.box", "all => all.map(one => one.getAttribute('stroke'))")
    assert strokes == ["#ff0000", "#999999"]


def test_hostile_names_over_an_image_stay_text(browser_page):
    box = {"class": HOSTILE, "x1": 1, "y1": 2, "x2": 30, "y2": 40, "colour": "#ff0000", "dashed": False}
    data = {"src": "/objects/x", "fallback": "/objects/y", "alt": HOSTILE, "width": 64, "height": 48, "stage": 200}
    data |= {"labels": {}, "boxes": [{**box, "label": HOSTILE, "title": HOSTILE}]}
    load(browser_page, "box_image.js")
    from app.components.box_image import _HTML

    browser_page.set_content(f'<div id="parent">{_HTML}</div>')
    browser_page.evaluate("data => { script.default({data, parentElement: document.getElementById('parent')}) }", data)
    assert browser_page.locator("svg text").text_content() == HOSTILE
    assert browser_page.locator("img").count() == 1
    assert browser_page.evaluate("window.hacked") is None


def test_zoom_keeps_the_point_under_the_pointer(browser_page):
    load(browser_page, "box_image.js")
    view = {"scale": 0.5, "left": 10, "top": 20}
    zoomed = browser_page.evaluate("view => script.zoomedView(view, 3, 110, 70, 0.1)", view)
    assert zoomed["scale"] == 1.5
    for axis, at in (("left", 110), ("top", 70)):
        assert (at - view[axis]) / view["scale"] == pytest.approx((at - zoomed[axis]) / zoomed["scale"])
