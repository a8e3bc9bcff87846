"""A real worker cleans its disk: folders of deleted runs at once, of ended ones after a time, of live ones never."""

import os
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from backend.embedded.servers import Servers
from tests.integration.runs.live_workstation import LiveWorkstation


def workstation(servers: Servers, home: Path, keep_days: str) -> Iterator[LiveWorkstation]:
    database = f"upkeep_{os.getpid()}_{home.name}"
    variables = {"ARM_CPU_SLOTS": "2", "ARM_SWEEP_S": "0.3", "ARM_KEEP_RUN_FOLDERS_DAYS": keep_days}
    with LiveWorkstation(servers, home, database, **variables) as live:
        yield live
    with pymongo.MongoClient[dict[str, object]](servers.mongo_url) as client:
        client.drop_database(database)


@pytest.fixture
def keeping(servers: Servers, tmp_path: Path) -> Iterator[LiveWorkstation]:
    yield from workstation(servers, tmp_path, "30")


@pytest.fixture
def forgetting(servers: Servers, tmp_path: Path) -> Iterator[LiveWorkstation]:
    yield from workstation(servers, tmp_path, "0")


def test_folder_of_a_deleted_run_goes_and_others_stay(keeping: LiveWorkstation) -> None:
    project = keeping.project("point(0)\n")
    deleted, kept = (keeping.until_final(keeping.start_run(project)) for _ in range(2))
    foreign = keeping.home / "runs" / "made-by-hand"
    foreign.mkdir()
    assert keeping.folder(deleted).exists()
    keeping.ok("DELETE", f"/runs/{deleted.id}")
    keeping.until(lambda: not keeping.folder(deleted).exists())
    assert keeping.folder(kept).exists() and foreign.exists()
    [worker] = keeping.ok("GET", "/workers")
    assert worker["disk"]["free_bytes"] > 0 and worker["disk"]["keep_days"] == 30


def test_ended_runs_lose_their_folder_and_keep_what_they_reported(forgetting: LiveWorkstation) -> None:
    project = forgetting.project("point(3)\nwait_for_file('go')\npoint(4)\n")
    live = forgetting.start_run(project)
    forgetting.until_point(live, 3)
    ended = forgetting.until_final(forgetting.start_run(forgetting.project("point(5)\n")))
    forgetting.until(lambda: not forgetting.folder(ended).exists())
    assert [series.iters for series in forgetting.points(ended).series] == [(5,)]
    assert forgetting.folder(live).exists()
    (forgetting.folder(live) / "go").touch()
    assert forgetting.until_final(live).state == "finished"
    assert [series.iters for series in forgetting.points(live).series] == [(3, 4)]
