"""Fixtures for tests of the UI: a contract server, the client pointed at it, and pages run by AppTest."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app import api_client
from tests.unit.app import contract_server
from tests.unit.app.contract_server import World

MAIN = Path(__file__).resolve().parents[3] / "app" / "main.py"
PAGE_TIMEOUT_S = 30

OpenPage = Callable[..., AppTest]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty world behind a real server; the UI's client talks to it."""
    world = World()
    with contract_server.serve(contract_server.create_app(world)) as url:
        _point_client_at(monkeypatch, f"{url}/api")
        yield world
        _forget_client()


@pytest.fixture
def silent_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No backend listens where the client looks."""
    _point_client_at(monkeypatch, "http://127.0.0.1:9/api")
    yield
    _forget_client()


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Runs the whole app on a page: open_page("training", language="en", run="r1")."""

    def run(name: str, language: str = "en", **query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=PAGE_TIMEOUT_S)
        # AppTest calls format_func of select boxes outside the session, where only the default language is known
        monkeypatch.setattr("app.i18n.default_language", lambda: language)
        app.query_params["lang"] = language
        app.run()  # registers the pages; AppTest cannot switch before
        app.switch_page(f"../pages/{name}_page.py")
        for key, value in query.items():
            app.query_params[key] = value
        return app.run()

    return run


def shown_text(app: AppTest) -> str:
    """Everything a reader can read on the page, one element a line."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def _point_client_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ARM_API_URL", url)
    monkeypatch.setenv("ARM_API_TOKEN", contract_server.TOKEN)
    api_client.api.clear()
    st.cache_data.clear()


def _forget_client() -> None:
    api_client.api().close()
    api_client.api.clear()


# every AppTest scans all installed packages for components, which takes a second: once is enough
manifest_scanner.scan_component_manifests = lru_cache(manifest_scanner.scan_component_manifests)
