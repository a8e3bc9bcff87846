"""Exported solutions over HTTP: versions, weights, and an archive that comes back as the same project."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from backend.contracts.reports import Artifact
from backend.contracts.runs import Run
from backend.stores.mongo.artifact_store import ArtifactStore
from backend.stores.mongo.run_store import RunInputs, RunStore
from backend.wiring import Connections, new_id, utc_now
from tests.integration.uploads import zip_of

CODE = {
    "train.py": b"print('train')\n",
    "test.py": b"print('test')\n",
    "lib/model.py": b"x = 1\n",
    "weights/readme.md": b"",
    "params.yaml": b"train:\n  basic params:\n    epochs: {default: 3, min: 1, max: 9}\n",
}


@pytest.fixture
def project(api: TestClient) -> dict:
    created = api.post("/api/projects", json={"name": "Сварка"}).json()
    return api.put(f"/api/projects/{created['id']}/code", content=zip_of(CODE)).json()


def form(project: dict, **fields: object) -> dict:
    return {"project_id": project["id"], "name": "Детектор", "train_file": "train.py", "test_file": "test.py", **fields}


def insert_run(connections: Connections, project: dict, kind: str = "train") -> str:
    run = Run(
        id=new_id(),
        number=RunStore(connections.database).next_number(),
        project_id=project["id"],
        project_name="p",
        kind=kind,
        state="finished",
        entry_file="train.py",
        code_sha256=project["code"]["sha256"],
        created_at=utc_now(),
    )
    RunStore(connections.database).insert(run, RunInputs(code={}, weights=(), classes=()))
    return run.id


def hand_over(connections: Connections, run_id: str, path: str, kind: str, content: bytes) -> None:
    sha256 = connections.objects.put_bytes(content)
    artifact = Artifact(path=path, kind=kind, sha256=sha256, size_bytes=len(content), created_at=utc_now())
    ArtifactStore(connections.database).put(run_id, artifact)


def test_versions_count_up_and_never_change(api: TestClient, project: dict) -> None:
    first = api.post("/api/solutions", json=form(project, name="Версии")).json()
    api.put(f"/api/projects/{project['id']}/code/train.py", content=b"changed")
    second = api.post("/api/solutions", json=form(project, name=" Версии ")).json()
    assert (first["version"], second["version"]) == (1, 2)
    assert first["code"]["sha256"] != second["code"]["sha256"]
    assert api.get(f"/api/solutions/{first['id']}").json() == first
    assert [s["id"] for s in api.get("/api/solutions").json() if s["name"] == "Версии"] == [second["id"], first["id"]]
    for method in ("PUT", "PATCH", "DELETE"):
        assert api.request(method, f"/api/solutions/{first['id']}").status_code == 405


def test_simultaneous_exports_get_different_versions(api: TestClient, project: dict) -> None:
    body = form(project, name="Гонка")
    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(lambda _: api.post("/api/solutions", json=body).json()["version"], range(6)))
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]


def test_archive_comes_back_as_the_same_project(api: TestClient, project: dict, connections: Connections) -> None:
    run_id = insert_run(connections, project)
    hand_over(connections, run_id, "model.pth", "pytorch", b"weights" * 1000)
    hand_over(connections, run_id, "sub/model.onnx", "onnx", b"onnx")
    hand_over(connections, run_id, "log.txt", "file", b"no weights")
    fields = {"description": "Описание", "arguments": "--fast", "device": "cuda:0", "main_file": "train.py"}
    solution = api.post("/api/solutions", json=form(project, train_run_id=run_id, **fields)).json()
    reply = api.get(f"/api/solutions/{solution['id']}/archive")
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        said = json.loads(archive.read("solution.json"))
        assert archive.read("weights-1/model.pth") == b"weights" * 1000
    # The code has a folder of its own called weights.
    assert names == {*CODE, "solution.json", "weights-1/model.pth", "weights-1/sub/model.onnx"}
    assert said["parameters"] == solution["parameters"] and said["code_sha256"] == project["code"]["sha256"]

    other = api.post("/api/projects", json={"name": "Копия"}).json()
    back = api.put(f"/api/projects/{other['id']}/code", content=reply.content).json()
    opened = api.post(f"/api/solutions/{solution['id']}/open").json()
    for copy in (back, opened):
        assert copy["code"] == project["code"]
        assert copy["parameters"] == project["parameters"]
        assert (copy["train_file"], copy["test_file"]) == ("train.py", "test.py")
        assert (copy["arguments"], copy["device"], copy["description"]) == ("--fast", "cuda:0", "Описание")
    assert opened["id"] not in (project["id"], other["id"]) and opened["name"] == "Детектор"
    assert api.get(f"/api/solutions/{solution['id']}/archive").content == reply.content


def test_edited_parameters_win_over_the_params_file(api: TestClient, project: dict) -> None:
    edited = {"train": [{"group": "g", "name": "n", "type": "float", "default": 2}], "test": []}
    project = api.patch(f"/api/projects/{project['id']}", json={"parameters": edited}).json()
    solution = api.post("/api/solutions", json=form(project, name="Правка")).json()
    content = api.get(f"/api/solutions/{solution['id']}/archive").content
    other = api.post("/api/projects", json={"name": "Копия"}).json()
    back = api.put(f"/api/projects/{other['id']}/code", content=content).json()
    assert back["parameters"] == project["parameters"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"train_file": ""}, "launch_file_not_found"),
        ({"train_file": "none.py"}, "launch_file_not_found"),
        ({"test_file": "params.yaml"}, "launch_file_not_python"),
        ({"main_file": "none.py"}, "launch_file_not_found"),
        ({"name": " "}, "name_invalid"),
        ({"name": ""}, "request_invalid"),
        ({"project_id": "none"}, "project_not_found"),
        ({"train_run_id": "none"}, "run_not_found"),
        ({"arguments": '"'}, "arguments_unbalanced"),
    ],
)
def test_bad_export_keeps_nothing(
    api: TestClient, project: dict, connections: Connections, fields: dict, code: str
) -> None:
    before = connections.database["solutions"].count_documents({})
    reply = api.post("/api/solutions", json=form(project, **fields))
    assert reply.status_code in (404, 422) and reply.json()["code"] == code
    assert connections.database["solutions"].count_documents({}) == before


def test_run_must_be_a_training_of_the_project_with_weights(
    api: TestClient, project: dict, connections: Connections
) -> None:
    other = api.post("/api/projects", json={"name": "x"}).json()
    for run_id, code in (
        (insert_run(connections, other), "run_not_of_project"),
        (insert_run(connections, project, "test"), "run_not_of_project"),
        (insert_run(connections, project), "run_without_weights"),
    ):
        assert api.post("/api/solutions", json=form(project, train_run_id=run_id)).json()["code"] == code


def test_unknown_solution(api: TestClient) -> None:
    for method, path in (("GET", "none"), ("GET", "none/archive"), ("POST", "none/open")):
        assert api.request(method, f"/api/solutions/{path}").json()["code"] == "solution_not_found"


def test_weights_and_the_network_travel_and_a_run_of_the_new_project_begins_with_them(
    api: TestClient, project: dict, connections: Connections
) -> None:
    run_id = insert_run(connections, project)
    hand_over(connections, run_id, "model.pth", "pytorch", b"trained")
    api.patch(f"/api/projects/{project['id']}", json={"network": True})
    solution = api.post("/api/solutions", json=form(project, name="В путь", train_run_id=run_id)).json()
    assert solution["network"] is True
    content = api.get(f"/api/solutions/{solution['id']}/archive").content
    other = api.post("/api/projects", json={"name": "Копия"}).json()["id"]
    back = api.put(f"/api/projects/{other}/code", content=content).json()
    opened = api.post(f"/api/solutions/{solution['id']}/open").json()
    for copy in (back, opened):
        assert (copy["network"], copy["weights"]) == (True, solution["weights"])
        for kind, fields, weights in (
            ("train", {}, ["model.pth"]),
            ("test", {}, ["model.pth"]),
            ("train", {"project_weights": False}, []),
        ):
            body = {"project_id": copy["id"], "kind": kind, "network": False, **fields}
            run = api.post("/api/runs", json=body).json()
            assert run["weights"] == weights
    again = api.post("/api/solutions", json=form(opened, name="Дальше")).json()
    assert again["weights"] == solution["weights"]


def test_archive_whose_weights_were_exchanged_is_refused(
    api: TestClient, project: dict, connections: Connections
) -> None:
    run_id = insert_run(connections, project)
    hand_over(connections, run_id, "model.pth", "pytorch", b"trained")
    solution = api.post("/api/solutions", json=form(project, name="Подмена", train_run_id=run_id)).json()
    content = api.get(f"/api/solutions/{solution['id']}/archive").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["weights-1/model.pth"] = b"another"
    reply = api.put(f"/api/projects/{project['id']}/code", content=zip_of(files))
    assert (reply.status_code, reply.json()["code"]) == (422, "weights_differ")
    assert api.get(f"/api/projects/{project['id']}").json()["weights"] == []


def test_export_takes_the_code_that_trained_the_weights(
    api: TestClient, project: dict, connections: Connections
) -> None:
    run_id = insert_run(connections, project)
    hand_over(connections, run_id, "model.pth", "pytorch", b"trained")
    changed = api.put(f"/api/projects/{project['id']}/code/train.py", content=b"changed since").json()
    solution = api.post("/api/solutions", json=form(project, name="Код", train_run_id=run_id)).json()
    assert solution["code"] == project["code"] != changed["code"]
    content = api.get(f"/api/solutions/{solution['id']}/archive").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("train.py") == CODE["train.py"]
    assert api.post("/api/solutions", json=form(project, name="Код")).json()["code"] == changed["code"]


def test_a_test_run_carries_the_parameters_of_its_training(
    api: TestClient, project: dict, connections: Connections
) -> None:
    train = api.post(
        "/api/runs", json={"project_id": project["id"], "kind": "train", "params": {"basic params": {"epochs": 7}}}
    ).json()
    api.post(f"/api/runs/{train['id']}/stop")
    hand_over(connections, train["id"], "model.pth", "pytorch", b"trained")
    body = {"project_id": project["id"], "kind": "test", "train_run_id": train["id"]}
    assert api.post("/api/runs", json=body).json()["train_params"] == {"basic params": {"epochs": 7}}
    assert train["train_params"] == {}
