"""One live workstation per test module, on the session's real servers. A module may set LIVE_VARIABLES for it."""

import os
import re
from collections.abc import Iterator

import pymongo
import pytest

from backend.embedded.servers import Servers
from tests.integration.runs.live_workstation import LiveWorkstation


@pytest.fixture(scope="module")
def live(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LiveWorkstation]:
    name = re.sub(r"\W", "_", request.module.__name__)[-30:]
    isolation = getattr(request, "param", "auto")
    database = f"live_{name}_{isolation}_{os.getpid()}"
    more = getattr(request.module, "LIVE_VARIABLES", {})
    variables = {"ARM_CPU_SLOTS": "2", "ARM_ISOLATION": isolation, **more}
    with LiveWorkstation(servers, tmp_path_factory.mktemp("live"), database, **variables) as workstation:
        yield workstation
    with pymongo.MongoClient[dict[str, object]](servers.mongo_url) as client:
        client.drop_database(database)
