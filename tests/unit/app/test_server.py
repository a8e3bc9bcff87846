"""Routes beside the pages, over real sockets; and the server as `arm up` starts it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.host_guard import LOOPBACK_HOSTS, HostGuard
from app.proxy import Proxy
from backend.contracts.reports import PointsReply
from tests.unit.app import contract_objects, contract_server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def browser(world: contract_server.World) -> Iterator[httpx.Client]:
    """A client of the proxy's routes, which stand before the contract server."""
    with contract_server.serve(contract_server.create_app(world)) as backend:
        proxy = Proxy(f"{backend}/api", {"Authorization": f"Bearer {contract_server.TOKEN}"})
        guard = Middleware(HostGuard, hosts=LOOPBACK_HOSTS)
        app = Starlette(routes=proxy.routes(), middleware=[guard], lifespan=proxy.lifespan)
        with contract_server.serve(app) as url, httpx.Client(base_url=url) as client:
            yield client


def test_an_image_is_shown_in_place_and_kept_for_ever(world, browser):
    reply = browser.get(f"/objects/{world.put_object(PNG, 'image/png')}", params={"width": 320})
    assert (reply.content, reply.headers["content-type"]) == (PNG, "image/png")
    assert "immutable" in reply.headers["cache-control"]
    assert world.requests[-1][2] == {"width": "320"}


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html"])
def test_what_a_browser_could_run_is_only_downloaded(world, browser, media_type):
    reply = browser.get(f"/objects/{world.put_object(b'<script>', media_type)}")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["abc", "A" * 64, "g" * 64, "%2e%2e%2fhealth"])
def test_what_is_no_hash_never_reaches_the_backend(world, browser, name):
    assert browser.get(f"/objects/{name}").status_code in (400, 404)
    assert world.requests == []


@pytest.mark.parametrize("width", ["-1", "0", "99999999", "x"])
def test_a_senseless_width_is_refused(world, browser, width):
    assert browser.get(f"/objects/{world.put_object(PNG, 'image/png')}?width={width}").status_code == 400


def test_a_missing_object_keeps_its_status_and_is_not_cached(browser):
    reply = browser.get(f"/objects/{'0' * 64}")
    assert (reply.status_code, reply.json()["code"]) == (404, "object_not_found")
    assert reply.headers["cache-control"] == "no-store"


def test_a_download_carries_a_russian_name(world, browser):
    reply = browser.get(f"/download/{world.put_object(b'weights', 'application/octet-stream')}/веса.pth")
    assert reply.content == b"weights"
    assert "filename*=UTF-8''%D0%B2%D0%B5%D1%81%D0%B0.pth" in reply.headers["content-disposition"]


def test_a_file_name_cannot_add_headers(world, browser):
    reply = browser.get(f"/download/{world.put_object(b'x', 'text/plain')}/a%0d%0aSet-Cookie:%20x=1%22.pth")
    assert "set-cookie" not in reply.headers
    assert reply.headers["content-disposition"].startswith('attachment; filename="a__Set-Cookie_')


def test_a_log_is_downloaded_whole_under_a_name_of_its_run(world, browser):
    world.logs["r1", "stderr"] = "строка\n" * 100_000
    reply = browser.get("/download/runs/r1/stderr.log")
    assert reply.text == world.logs["r1", "stderr"]
    assert 'filename="r1-stderr.log"' in reply.headers["content-disposition"]
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("application/octet-stream", "no-store")


@pytest.mark.parametrize("path", ["r1/secrets.log", "%2e%2e/stdout.log", "r%201/stdout.log"])
def test_only_the_two_streams_of_a_run_are_downloaded(world, browser, path):
    assert browser.get(f"/download/runs/{path}").status_code in (400, 404)
    assert world.requests == []


def test_health_is_passed_on_and_asked_once_for_all_tabs(world, browser):
    answers = [browser.get("/live/health").json() for _ in range(5)]
    assert answers == [{"status": "ok", "mongo": "ok", "redis": "ok"}] * 5
    assert len([path for _, path, _, _ in world.requests if path == "/health"]) == 1


def test_without_a_backend_health_is_no_success():
    app = Starlette(routes=Proxy("http://127.0.0.1:9/api", {}).routes())
    with contract_server.serve(app) as url:
        assert httpx.get(f"{url}/live/health").status_code == 503


def test_a_solution_is_downloaded_by_its_id(browser):
    reply = browser.get("/download/solutions/s1")
    assert reply.content == b"PK-of-s1"
    assert "attachment" in reply.headers["content-disposition"]


def test_points_pass_through_and_do_not_change_twice(world, browser):
    world.points["r1"] = PointsReply(version=2, series=(contract_objects.series("loss", [1.0]),))
    assert browser.get("/live/r1/points?max_points=100").json()["version"] == 2
    assert browser.get("/live/r1/points?version=2").status_code == 304


def test_a_silent_backend_is_told_as_503():
    app = Starlette(routes=Proxy("http://127.0.0.1:9/api", {}).routes())
    with contract_server.serve(app) as url:
        reply = httpx.get(f"{url}/live/r1/points")
    assert (reply.status_code, reply.json()["code"]) == (503, "api_unavailable")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
def test_another_host_name_is_refused(browser, host):
    assert browser.get("/healthz", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost:8500", "127.0.0.1", "[::1]:8500", "LOCALHOST"])
def test_loopback_names_are_served(browser, host):
    assert browser.get("/healthz", headers={"Host": host}).status_code == 200


def test_plotly_comes_from_the_python_package(browser):
    reply = browser.get("/vendor/plotly.min.js")
    assert reply.headers["content-type"].startswith("text/javascript")
    assert b"plotly.js" in reply.content[:200]


def test_the_server_starts_as_a_module_from_any_folder(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app.server", "--port", str(port), "--api-url", "http://127.0.0.1:9/api"]
    with subprocess.Popen(command, cwd=tmp_path) as server:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                wait_until_answering(client, server)
                assert "<title>" in client.get("/").text
                assert client.get("/home", follow_redirects=False).headers["location"] == "/"
                assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
                font = client.get("/app/static/fonts/inter-cyrillic-wght-normal.woff2")
                assert font.content[:4] == b"wOF2"
        finally:
            server.terminate()
            server.wait(20)


def wait_until_answering(client: httpx.Client, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert server.poll() is None, "the server ended"
        try:
            client.get("/healthz")
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer")
