"""Deleting runs and datasets over HTTP: what is theirs goes, what anything else names stays."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.contracts.base import Reason
from backend.contracts.runs import RunCreate
from backend.contracts.workers import ClaimRequest, Device, DiskUse, RunFinished, RunStarted, WorkerFolders
from backend.domain.errors import NotFoundError
from backend.services.object_sweep import ObjectSweep
from backend.stores.mongo.object_use_store import ObjectUseStore
from backend.wiring import Connections, Services
from tests.integration.uploads import jpeg, yolo_files, zip_of

CPU = Device(name="cpu", title="CPU", worker="w", slots=9)
EVENTS = b"""{"k":"progress","t":1,"s":0,"v":50}
{"k":"message","t":1,"s":1,"level":"info","text":"hello"}
{"k":"point","t":1,"s":2,"name":"loss","v":1.5,"e":0,"i":0}
{"k":"metric","t":1,"s":3,"name":"m","kind":"matrix","data":{"values":[[1]],"row_labels":["a"],"column_labels":["a"]},"description":""}
{"k":"result","t":1,"s":4,"image":"d.jpg","description":"ObjectDetection","markup":{"version":1,"annotation":[]}}
"""
OF_RUNS = (
    "run_points",
    "run_point_blocks",
    "run_series",
    "run_messages",
    "run_metrics",
    "results",
    "artifacts",
    "run_cursors",
)


@pytest.fixture
def dataset(api: TestClient) -> str:
    colours = {
        f"{split}/images/{name}.jpg": jpeg(colour="#" + os.urandom(3).hex())
        for split, name in (("train", "a"), ("train", "b"), ("valid", "c"), ("test", "d"))
    }
    return str(api.post("/api/datasets/import?name=Welds", content=zip_of(yolo_files(**colours))).json()["id"])


@pytest.fixture
def project(api: TestClient) -> str:
    created = str(api.post("/api/projects", json={"name": "P"}).json()["id"])
    api.put(f"/api/projects/{created}/code", content=zip_of({"train.py": b"pass", "test.py": b"pass"}))
    return created


class Runner:
    """Starts runs over HTTP and plays their worker and agent."""

    def __init__(self, api: TestClient, services: Services, project: str) -> None:
        self.api, self._services, self.project = api, services, project

    def queued(self, kind: str = "train", **fields: object) -> str:
        reply = self.api.post("/api/runs", json={"project_id": self.project, "kind": kind, **fields})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])

    def ended(self, kind: str = "train", files: dict[str, bytes] | None = None, **fields: object) -> str:
        run_id = self.queued(kind, **fields)
        claim = self._services.run.workers.claim(ClaimRequest(worker="w", devices=(CPU,), wait_s=0))
        assert claim is not None and claim.run_id == run_id
        agent = {"Authorization": f"Bearer {claim.token}"}
        path = f"/api/agent/runs/{run_id}"
        self.api.post(f"{path}/started", json=RunStarted(pid=1, isolation="process").model_dump(), headers=agent)
        self.api.post(f"{path}/events?file=1-0.jsonl&offset=0", content=EVENTS, headers=agent)
        for name, content in (files or {}).items():
            self.hand_over(path, agent, name, content)
        report = RunFinished(state="finished", reason=Reason(code="finished")).model_dump(mode="json")
        assert self.api.post(f"{path}/finished", json=report, headers=agent).status_code == 200
        return run_id

    def hand_over(self, path: str, agent: dict[str, str], name: str, content: bytes) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        query = f"path={name}&sha256={sha256}&kind=pytorch"
        reply = self.api.put(f"{path}/artifacts?{query}", content=content, headers=agent)
        assert reply.status_code == 200, reply.text

    def artifact(self, run_id: str) -> str:
        return str(self.api.get(f"/api/runs/{run_id}/artifacts").json()[0]["sha256"])


@pytest.fixture
def runner(api: TestClient, services: Services, project: str) -> Runner:
    return Runner(api, services, project)


@pytest.fixture
def swept(services: Services, connections: Connections) -> Callable[[Iterable[str]], list[bool]]:
    """Makes objects old, clears away, and says which of them are still there."""

    def sweep(hashes: Iterable[str]) -> list[bool]:
        named = list(hashes)
        for sha256 in named:
            file = object_file(connections, sha256)
            if file.exists():
                os.utime(file, (0, 0))
        services.run.deletion.finish()
        ObjectSweep(ObjectUseStore(connections.database), connections.objects, 3600).sweep()
        return [connections.objects.exists(sha256) for sha256 in named]

    return sweep


def object_file(connections: Connections, sha256: str) -> Path:
    return Path(connections.objects._path(sha256))


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_deleting_runs_takes_all_that_is_theirs_and_nothing_of_others(
    api: TestClient, runner: Runner, dataset: str, connections: Connections
) -> None:
    first, second, other = (runner.ended(dataset_id=dataset, files={"a.pth": os.urandom(9)}) for _ in range(3))
    database = connections.database
    held = {name: database[name].count_documents({"run_id": other}) for name in OF_RUNS}
    assert held["run_messages"] and held["results"] and held["run_metrics"] and held["artifacts"]
    assert api.post("/api/runs/delete", json={"run_ids": [first, second]}).status_code == 204
    assert [api.get(f"/api/runs/{run}").status_code for run in (first, second, other)] == [404, 404, 200]
    assert {run["id"] for run in api.get(f"/api/runs?project_id={runner.project}").json()} == {other}
    gone = {"run_id": {"$in": [first, second]}}
    until(lambda: not any(database[name].count_documents(gone) for name in OF_RUNS))
    assert {name: database[name].count_documents({"run_id": other}) for name in OF_RUNS} == held
    assert api.delete(f"/api/runs/{first}").status_code == 404


def test_a_run_that_goes_on_is_not_deleted_nor_is_any_other_with_it(api: TestClient, runner: Runner) -> None:
    ended, waiting = runner.ended(), runner.queued()
    number = api.get(f"/api/runs/{waiting}").json()["number"]
    reply = api.post("/api/runs/delete", json={"run_ids": [ended, waiting]})
    assert (reply.status_code, reply.json()["code"]) == (409, "runs_not_final")
    assert reply.json()["params"] == {"runs": str(number)}
    assert str(number) in reply.json()["message"]
    assert api.get(f"/api/runs/{ended}").status_code == 200
    assert api.post("/api/runs/delete", json={"run_ids": []}).status_code == 422
    api.post(f"/api/runs/{waiting}/stop")
    assert api.delete(f"/api/runs/{waiting}").status_code == 204


def test_files_go_unless_another_run_a_solution_or_a_project_names_them(
    api: TestClient, runner: Runner, swept: Callable[[Iterable[str]], list[bool]]
) -> None:
    shared = os.urandom(20)
    alone, twice, tested, exported, as_code = (
        runner.ended(files={"w.pth": content})
        for content in (os.urandom(20), shared, os.urandom(20), os.urandom(20), b"pass")
    )
    also = runner.ended(files={"w.pth": shared})
    test_run = runner.ended("test", train_run_id=tested)
    form = {"project_id": runner.project, "name": "S", "train_file": "train.py", "train_run_id": exported}
    solution = api.post("/api/solutions", json=form).json()["id"]
    runs = [alone, twice, tested, exported, as_code]
    files = [runner.artifact(run) for run in runs]
    assert api.post("/api/runs/delete", json={"run_ids": runs}).status_code == 204
    assert swept(files) == [False, True, True, True, True]
    assert api.get(f"/api/objects/{files[0]}").status_code == 404
    assert api.get(f"/api/solutions/{solution}/archive").status_code == 200
    api.post("/api/runs/delete", json={"run_ids": [also, test_run]})
    assert swept(files) == [False, False, False, True, True]


def test_a_file_that_was_just_uploaded_stays(runner: Runner, services: Services, connections: Connections) -> None:
    """Between the upload of bytes that are there already and the note of who uploaded them nothing may delete them."""
    content = os.urandom(20)
    run = runner.ended(files={"w.pth": content})
    sha256 = runner.artifact(run)
    os.utime(object_file(connections, sha256), (0, 0))
    connections.objects.put_bytes(content)
    runner.api.delete(f"/api/runs/{run}")
    services.run.deletion.finish()
    sweep = ObjectSweep(ObjectUseStore(connections.database), connections.objects, 3600)
    sweep.sweep()
    assert connections.objects.exists(sha256)
    os.utime(object_file(connections, sha256), (0, 0))
    sweep.sweep()
    assert not connections.objects.exists(sha256)


def test_deletion_cut_short_by_a_crash_goes_on(
    runner: Runner, services: Services, connections: Connections, dataset: str
) -> None:
    run = runner.ended(dataset_id=dataset)
    connections.database["deleted_runs"].insert_one({"_id": run, "is_cleared": False, "objects": []})
    services.run.deletion.finish()
    assert connections.database["runs"].count_documents({"_id": run}) == 0
    assert connections.database["results"].count_documents({"run_id": run}) == 0
    assert connections.database["deleted_runs"].find_one({"_id": run})["is_cleared"]


def test_worker_learns_which_folders_may_go(api: TestClient, runner: Runner, services: Services) -> None:
    deleted, ended, waiting = runner.ended(), runner.ended(), runner.queued()
    api.delete(f"/api/runs/{deleted}")
    disk = DiskUse(
        total_bytes=100 << 30,
        free_bytes=90 << 30,
        run_folder_count=4,
        run_folders_bytes=5,
        cache_bytes=6,
        cache_limit_bytes=7,
        keep_days=1,
    )
    asked = WorkerFolders(disk=disk, run_ids=(deleted, ended, waiting, "unknown"))
    assert api.post("/api/workers/nobody/folders", json=asked.model_dump()).status_code == 404
    services.run.workers.renew(ClaimRequest(worker="w", devices=(CPU,)))
    verdicts = api.post("/api/workers/w/folders", json=asked.model_dump()).json()
    assert verdicts["deleted"] == [deleted]
    assert list(verdicts["ended"]) == [ended]
    [seen] = [worker for worker in api.get("/api/workers").json() if worker["name"] == "w"]
    assert (seen["disk"]["run_folder_count"], seen["is_disk_low"]) == (4, False)
    full = asked.model_copy(update={"disk": disk.model_copy(update={"free_bytes": 4 << 30})})
    api.post("/api/workers/w/folders", json=full.model_dump())
    assert [worker["is_disk_low"] for worker in api.get("/api/workers").json() if worker["name"] == "w"] == [True]
    api.post(f"/api/runs/{waiting}/stop")


def test_dataset_goes_when_no_run_needs_it_and_ended_runs_keep_its_name_and_their_results(
    api: TestClient, runner: Runner, dataset: str, swept: Callable[[Iterable[str]], list[bool]]
) -> None:
    images = {item["name"]: item["image"] for item in api.get(f"/api/datasets/{dataset}/items").json()["items"]}
    ended, waiting = runner.ended(dataset_id=dataset), runner.queued(dataset_id=dataset)
    number = api.get(f"/api/runs/{waiting}").json()["number"]
    reply = api.delete(f"/api/datasets/{dataset}")
    assert (reply.status_code, reply.json()["code"]) == (409, "dataset_in_use")
    assert reply.json()["params"]["runs"] == str(number)
    assert api.get(f"/api/datasets/{dataset}").status_code == 200
    api.post(f"/api/runs/{waiting}/stop")
    assert api.delete(f"/api/datasets/{dataset}").status_code == 204
    kept = api.get(f"/api/runs/{ended}").json()
    assert {sample["deleted_dataset"] for sample in kept["samples"]} == {"Welds"}
    [result] = api.get(f"/api/runs/{ended}/results").json()["results"]
    assert swept(images.values()) == [name == "d.jpg" for name in images]
    assert result["image"] == images["d.jpg"] and result["truth"] is not None
    assert api.get(f"/api/objects/{result['image']}").status_code == 200
    api.post("/api/runs/delete", json={"run_ids": [ended, waiting]})
    assert swept([result["image"]]) == [False]


def test_run_of_a_training_that_is_deleted_meanwhile_fails_instead_of_starting_without_weights(
    runner: Runner, services: Services, connections: Connections
) -> None:
    trained = runner.ended(files={"w.pth": os.urandom(9)})
    store = connections.database["runs"]
    test_run = runner.queued("test", train_run_id=trained)
    store.update_one({"_id": test_run}, {"$set": {"state": "created"}})
    runner.api.delete(f"/api/runs/{trained}")
    with pytest.raises(NotFoundError):
        services.run.runs.queue(services.run.runs.get(test_run))
    assert services.run.runs.get(test_run).state == "failed"
    with pytest.raises(NotFoundError):
        services.run.runs.create(RunCreate(project_id=runner.project, kind="test", train_run_id=trained))
