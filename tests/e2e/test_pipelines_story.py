"""The page Pipelines in a real browser: open an example, err, see it, mend it, run, fail, be led to the line."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Workstation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PATIENCE_MS = 120_000
PROBLEM = ".arm-editor__problem"
GO_TO = "([line, column]) => dispatchEvent(new CustomEvent('arm-pipeline-line', {detail: {line, column}}))"


def settle(page: Page) -> None:
    page.wait_for_timeout(400)
    state = page.locator("[data-testid=stApp]")
    expect(state).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE_MS)


def put_cursor(page: Page, line: int, column: int) -> None:
    page.evaluate(GO_TO, [line, column])


def press_run(page: Page, workstation: Workstation) -> str:
    """The new run's id."""
    known = len(workstation.api.runs(kind="train"))
    start = page.locator("[class*=st-key-launch_][class*=_start] button").first
    if not start.is_visible():
        page.locator("[class*=st-key-new_run_] summary").first.click()
        page.wait_for_timeout(1000)  # the form slides open; a press on the way would miss the button
    start.click()
    expect(page.get_by_role("heading", name=f"Training {known + 1} ")).to_be_visible(timeout=PATIENCE_MS)
    return workstation.api.runs(kind="train")[0].id


def test_an_example_is_mended_run_and_led_back_to_the_line_of_its_failure(
    workstation: Workstation, browser_context: BrowserContext
) -> None:
    page = browser_context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if is_outside(request.url) else None)
    page.goto(f"{workstation.url}/pipelines")
    page.locator(".st-key-pipeline_examples_first button").click()
    expect(page.locator(".cm-line").first).to_have_text("atp: 1", timeout=PATIENCE_MS)
    settle(page)

    click_on_a_node_leads_to_its_line(page)
    an_error_is_marked_where_it_is_typed(page)
    page.keyboard.press("Backspace")
    expect(page.locator(PROBLEM)).to_have_count(0, timeout=PATIENCE_MS)
    settle(page)

    run_id = press_run(page, workstation)
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached(timeout=PATIENCE_MS)
    run = workstation.api.run(run_id)
    assert run.entry_file == "classifier.yaml"
    expect(page.get_by_text("finished", exact=False).first).to_be_visible(timeout=PATIENCE_MS)
    assert {artifact.path for artifact in workstation.api.artifacts(run.id)} >= {"out/last.pt"}

    a_failure_at_run_time_leads_to_its_line(page, workstation)
    a_step_of_another_file_leads_to_that_file(page, workstation)
    assert not outside


def is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def click_on_a_node_leads_to_its_line(page: Page) -> None:
    page.locator(".arm-graph a text", has_text="@train_epoch").first.click()
    settle(page)
    expect(page.locator(".cm-activeLineGutter").first).to_have_text("56")
    expect(page.locator(".arm-graph text", has_text="@model.zero_grad").first).to_be_attached()  # it opened


def a_step_of_another_file_leads_to_that_file(page: Page, workstation: Workstation) -> None:
    project = workstation.api.projects()[0]
    page.goto(f"{workstation.url}/pipelines?project={project.id}&pipeline=seg.yaml")
    page.locator(".arm-graph a text", has_text="▸ @step").first.click()
    page.locator(".arm-graph a text", has_text="@loss_aux").first.click()
    expect(page.locator(".cm-line").first).to_have_text("# seg_step.yaml", timeout=PATIENCE_MS)
    expect(page.locator(".cm-activeLineGutter").first).to_have_text("12")
    assert "pipeline=seg_step.yaml" in page.url
    page.goto(f"{workstation.url}/pipelines?project={project.id}&pipeline=seg.yaml")
    page.get_by_role("radio", name="Initialisation").click()
    # until then the other graph is shown, with nodes of the same names
    expect(page.get_by_role("radio", name="main")).to_have_count(0)
    settle(page)
    page.locator(".arm-graph a text", has_text=re.compile("^▸ @step$")).first.click()
    page.locator(".arm-graph a text", has_text="@loss_aux").first.click()
    expect(page.locator(".cm-line").first).to_have_text("# seg_step.yaml", timeout=PATIENCE_MS)
    expect(page.locator(".cm-activeLineGutter").first).to_have_text("6")


def an_error_is_marked_where_it_is_typed(page: Page) -> None:
    put_cursor(page, 21, 16)
    page.keyboard.type("x")
    expect(page.locator(PROBLEM).first).to_contain_text("21:14", timeout=PATIENCE_MS)
    expect(page.locator(PROBLEM).first).to_contain_text("did you mean '@model'")
    expect(page.locator(".cm-lintRange-error").first).to_contain_text("@xmodel")
    settle(page)


def a_failure_at_run_time_leads_to_its_line(page: Page, workstation: Workstation) -> None:
    put_cursor(page, 6, 3)
    put_cursor(page, 27, 32)  # `[$model_out, $labels]` of the loss
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type(".unknown_name")
    settle(page)
    run_id = press_run(page, workstation)
    expect(page.get_by_text("The run failed at line 27", exact=False).first).to_be_visible(timeout=PATIENCE_MS)
    settle(page)
    expect(page.locator(".cm-activeLineGutter").first).to_have_text("27")
    expect(page.locator(PROBLEM).first).to_contain_text("27:")
    assert workstation.api.run(run_id).state == "failed"
