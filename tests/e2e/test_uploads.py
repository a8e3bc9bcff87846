"""A large archive on its way from a browser: given up in the middle, cut off in the middle, stopped by a full disk."""

import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, CDPSession, Page, Request, Route, expect

from tests.e2e.conftest import Workstation
from tests.integration import uploads

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MINUTE_MS = 60_000
SLOWLY = 8 << 20
"""Bytes a second, so that there is a middle; a chunk holds as many."""
IMAGES = 4


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs that do not compress: four chunks and a bit."""
    noise = np.random.default_rng(1)
    files = {"data.yaml": uploads.YAML}
    for number in range(IMAGES):
        out = io.BytesIO()
        Image.fromarray(noise.integers(0, 256, (1800, 1600, 3), dtype=np.uint8)).save(out, "PNG", compress_level=1)
        split = "train" if number else "valid"
        files |= {f"{split}/images/{number}.png": out.getvalue(), f"{split}/labels/{number}.txt": uploads.ROW}
    path = tmp_path_factory.mktemp("upload") / "noise.zip"
    path.write_bytes(uploads.zip_of(files))
    assert path.stat().st_size > 4 * SLOWLY
    return path


@pytest.fixture
def page(workstation: Workstation, browser_context: BrowserContext, archive: Path) -> Iterator[Page]:
    """The uploader with the file chosen. The workstation has no dataset yet, so its page begins with it."""
    page = browser_context.new_page()
    page.goto(f"{workstation.url}/datasets")
    page.locator(".arm-uploader input[type=file]").set_input_files(archive)
    expect(page.locator(".arm-uploader .title")).to_have_text(archive.name)
    yield page
    page.close()
    for dataset in workstation.api.datasets():
        workstation.api.delete_dataset(dataset.id)


@pytest.fixture
def network(page: Page) -> CDPSession:
    """The browser's own throttle."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    return session


@pytest.fixture
def sent(page: Page) -> list[int]:
    """Offsets of the chunks that arrived, in order."""
    offsets: list[int] = []

    def note(request: Request) -> None:
        response = request.response()
        if request.method == "PUT" and "/upload/" in request.url and response is not None and response.ok:
            offsets.append(int(parse_qs(urlsplit(request.url).query)["offset"][0]))

    page.on("requestfinished", note)
    return offsets


def test_an_upload_given_up_in_the_middle_leaves_nothing_and_starts_again(
    workstation: Workstation, page: Page, network: CDPSession
) -> None:
    throttle(network, SLOWLY)
    press(page, "start")
    until_share(page, r"[1-8]\d")
    press(page, "cancel")
    expect(page.locator(".arm-uploader .status")).to_have_text("Cancelled; nothing of the file was kept.")
    until_kept_bytes(workstation, 0)
    assert workstation.api.datasets() == []

    throttle(network, -1)
    press(page, "start")  # the file is still the chosen one
    assert_imported(workstation, page)


def test_an_upload_cut_off_in_the_middle_goes_on_by_itself_from_where_it_was(
    workstation: Workstation, page: Page, network: CDPSession, sent: list[int], archive: Path
) -> None:
    throttle(network, SLOWLY)
    press(page, "start")
    until_share(page, r"[2-8]\d")
    throttle(network, SLOWLY, offline=True)
    expect(page.locator(".arm-uploader .status")).to_contain_text("trying again", timeout=MINUTE_MS)
    assert 0 < kept_bytes(workstation) < archive.stat().st_size
    throttle(network, -1)
    assert_imported(workstation, page)
    assert sent == sorted(set(sent)), "a chunk was sent twice"


def test_an_upload_stopped_by_a_full_disk_goes_on_when_the_reader_says_so(
    workstation: Workstation, page: Page, sent: list[int]
) -> None:
    def refuse(route: Route) -> None:
        body = '{"code": "disk_full_now", "params": {}, "message": "full"}'
        route.fulfill(status=503, content_type="application/json", body=body)

    second_chunk = re.compile(r"/upload/[0-9a-f]+\?offset=[1-9]")
    page.route(second_chunk, refuse, times=1)
    press(page, "start")
    expect(page.locator(".arm-uploader")).to_have_attribute("data-state", "lost")
    expect(page.locator("[data-testid=stAlertContentError]")).to_contain_text("disk")
    assert kept_bytes(workstation) == SLOWLY
    expect(page.locator(".arm-uploader button.start")).to_have_text("Go on")
    press(page, "start")
    assert_imported(workstation, page)
    assert sent == sorted(set(sent)), "a chunk was sent twice"


def throttle(network: CDPSession, bytes_per_s: int, offline: bool = False) -> None:
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s},
    )


def press(page: Page, button: str) -> None:
    page.locator(f".arm-uploader button.{button}").click()


def until_share(page: Page, percent: str) -> None:
    expect(page.locator(".arm-uploader .bar")).to_have_attribute("aria-valuenow", re.compile(f"^{percent}$"))


def kept_bytes(workstation: Workstation) -> int:
    return sum(path.stat().st_size for path in (workstation.home / "scratch" / "uploads").glob("*"))


def until_kept_bytes(workstation: Workstation, wanted: int) -> None:
    deadline = time.monotonic() + 30
    while kept_bytes(workstation) != wanted:
        assert time.monotonic() < deadline, f"{kept_bytes(workstation)} bytes are kept"
        time.sleep(0.2)


def assert_imported(workstation: Workstation, page: Page) -> None:
    expect(page.get_by_role("img", name="0.png")).to_be_visible(timeout=2 * MINUTE_MS)
    (dataset,) = workstation.api.datasets()
    assert (dataset.name, sum(counts.images for counts in dataset.splits.values())) == ("noise", IMAGES)
    assert kept_bytes(workstation) == 0
