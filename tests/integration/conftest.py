"""Real servers, one start for the session; one database per test module; the API as a client sees it.

ARM_TEST_MONGO_URL and ARM_TEST_REDIS_URL point the suite at servers of your own.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.embedded.servers import Servers, start_servers
from backend.main import create_app
from backend.settings import Settings
from backend.wiring import Connections, Services

TOKEN = "integration-test-token"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A real MongoDB and a real Redis; their data is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="arm-"))
    running = start_servers(home, os.environ.get("ARM_TEST_MONGO_URL"), os.environ.get("ARM_TEST_REDIS_URL"))
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def settings(servers: Servers, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Settings:
    """Settings of an installation that belongs to this test module alone; limits are low enough to be tested."""
    name = re.sub(r"\W", "_", request.module.__name__)[-40:]
    return Settings(
        home=tmp_path_factory.mktemp("home"),
        mongo_url=servers.mongo_url,
        redis_url=servers.redis_url,
        database=f"test_{name}_{os.getpid()}",
        api_token=TOKEN,
        archive_max_mb=64,
        code_max_mb=16,
        archive_max_files=2000,
        archive_max_ratio=100,
        image_max_megapixels=2,
    )


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[TestClient]:
    """A client of the whole application, token included."""
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client
        connections: Connections = client.app.state.connections  # type: ignore[attr-defined]
        connections.mongo.drop_database(settings.database)


@pytest.fixture(scope="module")
def connections(api: TestClient) -> Connections:
    """The stores behind `api`, for looking at what is really kept."""
    found: Connections = api.app.state.connections  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def services(api: TestClient) -> Services:
    """The services behind `api`."""
    found: Services = api.app.state.services  # type: ignore[attr-defined]
    return found
