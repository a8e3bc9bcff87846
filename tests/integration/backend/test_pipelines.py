"""Pipelines over HTTP: problems, graphs, help, versions, import; what imports runs apart from the API."""

import subprocess
import sys
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.wiring import Connections

TEXT = """atp: 1
params: {epochs: {value: 2, type: int, min: 1, max: 9, doc: {en: passes, ru: проходы}}, note: {value: a, doc: any}}
step: {"#lib.double": }
main:
  iterator: {"#range": "@params.epochs", output: epoch}
  process:
    - {"@again": $epoch}
"""
GOOD = (
    TEXT.replace("step: {", "parts: {")
    .replace('"#lib.double": ', '"#lib.Parts": {n: 1}')
    .replace("@again", "@parts.add")
)
LIB = """print("a module that talks")
class Parts:
    def __init__(self, n: int) -> None:
        pass

    def add(self, i: int) -> None:
        pass
"""


@pytest.fixture
def project(api: TestClient) -> str:
    made = str(api.post("/api/projects", json={"name": "Pipelines"}).json()["id"])
    api.put(f"/api/projects/{made}/code/lib.py", content=LIB.encode())
    assert api.put(f"/api/projects/{made}/pipelines?path=train.yaml", content=GOOD.encode()).status_code == 200
    return made


def check(api: TestClient, project: str, text: str, **fields: Any) -> dict[str, Any]:
    body = {"path": "train.yaml", "text": text, **fields}
    reply = api.post(f"/api/projects/{project}/pipelines/check", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def until_done(ask: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 150
    while (found := ask())["state"] == "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_only_yaml_files_that_say_atp_are_pipelines(api: TestClient, project: str) -> None:
    api.put(f"/api/projects/{project}/code/params.yaml", content=b"train: {}")
    assert [file["path"] for file in api.get(f"/api/projects/{project}/pipelines").json()] == ["train.yaml"]


def test_every_problem_has_its_place_and_the_language_asked_for(api: TestClient, project: str) -> None:
    found = check(api, project, TEXT, language="ru")
    assert found["state"] == "done"
    problem = next(one for one in found["problems"] if one["code"] == "E201")
    assert (problem["file"], problem["line"], problem["column"]) == ("train.yaml", 7, 8)
    assert "не описана" in problem["message"]


def test_the_form_and_the_stages_of_a_text(api: TestClient, project: str) -> None:
    found = check(api, project, GOOD)
    epochs, note = found["parameters"]
    assert (epochs["group"], epochs["name"], epochs["default"], epochs["maximum"]) == ("params", "epochs", 2, 9)
    assert (note["type"], note["default"], note["description"]) == ("str", "a", "any")
    assert epochs["description"] == {"en": "passes", "ru": "проходы"}
    assert (found["stages"], found["main_stage"]) == (["main"], "main")


def test_imports_are_checked_in_a_process_of_their_own(api: TestClient, project: str) -> None:
    wrong = GOOD.replace("{n: 1}", "{m: 1}")
    before = sys.modules.get("lib")
    assert check(api, project, wrong, level="static")["state"] == "waiting"
    found = until_done(lambda: check(api, project, wrong, level="static"))
    assert {one["code"] for one in found["problems"]} == {"E301", "E302"}
    assert {one["file"] for one in found["problems"]} == {"train.yaml"}
    assert sys.modules.get("lib") is before


def test_a_check_sees_the_code_of_now_and_of_its_own_project(api: TestClient, project: str) -> None:
    def static(place: str) -> dict[str, Any]:
        return until_done(lambda: check(api, place, GOOD, level="static"))

    other = str(api.post("/api/projects", json={"name": "Another"}).json()["id"])
    api.put(f"/api/projects/{other}/code/lib.py", content=LIB.replace("n: int", "size: int").encode())
    assert static(project)["problems"] == []
    assert "E301" in {one["code"] for one in static(other)["problems"]}
    api.put(f"/api/projects/{project}/code/lib.py", content=LIB.replace("add", "append").encode())
    assert "E203" in {one["code"] for one in static(project)["problems"]}


def test_a_checker_that_was_killed_is_replaced(api: TestClient, project: str) -> None:
    pipelines = api.app.state.services.pipelines  # type: ignore[attr-defined]
    assert until_done(lambda: check(api, project, GOOD + "# killed\n", level="static"))["state"] == "done"
    checker = pipelines._process._servers[project]._process
    checker.kill()
    checker.wait()
    again = until_done(lambda: check(api, project, GOOD + "# again\n", level="static"))
    assert (again["state"], again["problems"]) == ("done", [])


def test_code_that_never_ends_is_stopped_and_tells(api: TestClient, project: str) -> None:
    pipelines = api.app.state.services.pipelines  # type: ignore[attr-defined]
    api.put(f"/api/projects/{project}/code/lib.py", content=b"while True: pass\n")
    pipelines._process._timeout_s, usual = 2, pipelines._process._timeout_s
    try:
        found = until_done(lambda: check(api, project, GOOD, level="init"))
    finally:
        pipelines._process._timeout_s = usual
    assert (found["state"], found["fault"]["code"]) == ("failed", "pipeline_check_slow")


def test_help_of_a_component_of_the_project(api: TestClient, project: str) -> None:
    body = {"path": "train.yaml", "text": GOOD, "reference": "#lib.Parts"}
    found = until_done(lambda: api.post(f"/api/projects/{project}/pipelines/help", json=body).json())
    assert found["state"] == "done"
    assert "lib.Parts" in found["text"]
    page = api.post(f"/api/projects/{project}/pipelines/help", json={**body, "reference": ""}).json()
    assert page["text"].startswith("train.yaml ("), "where the workstation keeps its copy is nobody's business"
    refused = api.post(f"/api/projects/{project}/pipelines/help", json={**body, "reference": "--level"})
    assert refused.json()["code"] == "pipeline_reference_bad"


def test_a_graph_and_why_there_is_none(api: TestClient, project: str) -> None:
    address = f"/api/projects/{project}/pipelines/graph"
    graph = api.post(address, json={"path": "train.yaml", "text": GOOD, "kind": "exec"}).json()
    assert 'URL="#line-7"' in graph["dot"]
    assert api.post(address, json={"path": "train.yaml", "text": TEXT}).json()["fault"]["code"] == "pipeline_in_error"
    unknown = api.post(address, json={"path": "train.yaml", "text": GOOD, "stage": "nope"}).json()
    assert unknown["fault"]["code"] == "pipeline_no_graph"


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("../x.yaml", GOOD, "path_climbs"),
        ("x.py", GOOD, "pipeline_path_bad"),
        ("-x.yaml", GOOD, "pipeline_path_bad"),
        ("x.yaml", "a: 1", "pipeline_unreadable"),
        ("x.yaml", "\udcff", "pipeline_unreadable"),
    ],
)
def test_an_import_is_refused_with_its_reason(
    api: TestClient, project: str, path: str, content: str, code: str
) -> None:
    raw = content.encode("utf-8", errors="surrogateescape")
    reply = api.put(f"/api/projects/{project}/pipelines", params={"path": path}, content=raw)
    assert reply.status_code == 422
    assert reply.json()["code"] == code


def test_versions_keep_the_text_and_go_with_the_project(
    api: TestClient, project: str, connections: Connections
) -> None:
    address = f"/api/projects/{project}/pipelines/versions"
    first = api.post(address, json={"path": "train.yaml", "note": "as imported"}).json()
    assert api.post(address, json={"path": "train.yaml"}).json() == first
    api.put(f"/api/projects/{project}/code/train.yaml", content=GOOD.replace("value: a", "value: b").encode())
    api.post(address, json={"path": "train.yaml"})
    listed = api.get(address, params={"path": "train.yaml"}).json()
    assert [version["number"] for version in listed] == [2, 1]
    assert api.get(f"/api/objects/{listed[1]['sha256']}").text == GOOD
    assert api.post(address, json={"path": "gone.yaml"}).status_code == 404
    api.delete(f"/api/projects/{project}")
    assert connections.database["pipeline_versions"].count_documents({"project_id": project}) == 0


def test_a_run_of_a_pipeline_takes_its_parameters(api: TestClient, project: str) -> None:
    run = {"project_id": project, "kind": "train", "pipeline": "train.yaml"}
    started = api.post("/api/runs", json={**run, "params": {"params": {"epochs": 5}}}).json()
    assert (started["entry_file"], started["params"]["params"]) == ("train.yaml", {"epochs": 5, "note": "a"})
    too_many = api.post("/api/runs", json={**run, "params": {"params": {"epochs": 10}}})
    assert too_many.json()["code"] == "parameters_invalid"
    api.put(f"/api/projects/{project}/code/train.yaml", content=TEXT.encode())
    refused = api.post("/api/runs", json=run).json()
    assert refused["code"] == "pipeline_invalid"
    assert ("train.yaml", 7) in [(problem["file"], problem["line"]) for problem in refused["problems"]]


def test_a_pipeline_can_be_the_launch_file_and_be_exported(api: TestClient, project: str) -> None:
    chosen = api.patch(f"/api/projects/{project}", json={"train_file": "train.yaml"})
    assert chosen.json()["train_file"] == "train.yaml"
    run = {"project_id": project, "kind": "train", "params": {"params": {"epochs": 5}}}
    started = api.post("/api/runs", json=run).json()
    assert (started["entry_file"], started["params"]["params"]) == ("train.yaml", {"epochs": 5, "note": "a"})
    solution = {"project_id": project, "name": "Only YAML", "train_file": "train.yaml", "main_file": "train.yaml"}
    exported = api.post("/api/solutions", json=solution).json()
    archive = api.get(f"/api/solutions/{exported['id']}/archive").content
    opened = api.post(f"/api/solutions/{exported['id']}/open").json()
    assert opened["train_file"] == "train.yaml"
    assert api.post("/api/runs", json={**run, "project_id": opened["id"]}).json()["entry_file"] == "train.yaml"
    uploaded = str(api.post("/api/projects", json={"name": "Uploaded"}).json()["id"])
    assert api.put(f"/api/projects/{uploaded}/code", content=archive).json()["train_file"] == "train.yaml"
    refused = api.patch(f"/api/projects/{project}", json={"train_file": "lib"})
    assert refused.json()["code"] == "launch_file_not_found"


def test_the_examples_are_a_project(api: TestClient) -> None:
    project = api.post("/api/pipelines/examples", json={"name": "Examples"}).json()
    listed = [file["path"] for file in api.get(f"/api/projects/{project['id']}/pipelines").json()]
    assert "classifier.yaml" in listed
    for path in listed:
        text = api.get(f"/api/projects/{project['id']}/code/{path}").json()["text"]
        body = {"path": path, "text": text}
        found = api.post(f"/api/projects/{project['id']}/pipelines/check", json=body).json()
        assert not [problem for problem in found["problems"] if problem["level"] == "error"], path


def test_checking_and_drawing_import_no_torch() -> None:
    code = (
        "import sys, atp; import backend.services.pipeline_service; from backend.domain.pipeline_graph import drawn;"
        "p = atp.load('x.yaml', text=sys.argv[1]); p.validate('syntax'); p.param_form();"
        "drawn(p.graph('exec', None, 4), (), 'x.yaml', ''); drawn(p.graph('init'), (), 'x.yaml', '');"
        "assert not {'torch', 'lib', 'PlatformAPI'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, GOOD], check=True)


def test_settings_of_the_project_that_are_no_list_are_told(api: TestClient, project: str) -> None:
    api.put(f"/api/projects/{project}/code/pyproject.toml", content=b"[tool.atp]\nallow = 5\n")
    body = {"path": "train.yaml", "text": GOOD, "level": "syntax"}
    reply = api.post(f"/api/projects/{project}/pipelines/check", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "pipeline_settings_bad")
