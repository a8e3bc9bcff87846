"""What a run is given: sample, weights, parameters; and what is refused before anything is saved."""

import json

import pytest

from tests.integration.runs.live_workstation import LiveWorkstation
from tests.integration.uploads import yolo_files, zip_of


@pytest.fixture(scope="module")
def dataset_id(live: LiveWorkstation) -> str:
    return str(live.ok("POST", "/datasets/import?name=Welds", content=zip_of(yolo_files()))["id"])


TRAIN = """
import hashlib
for name, best, kind in (("last.pth", False, "pytorch"), ("best.ckpt", True, "checkpoint"), ("m.onnx", False, "onnx")):
    content = name.encode() * 10
    (RUN / "artifacts" / name).write_bytes(content)
    event("artifact", path=name, kind=kind, size=len(content), sha256=hashlib.sha256(content).hexdigest(),
          info={"best": best})
"""
TEST = """
spec = json.loads((RUN / "run.json").read_text())
assert spec["kind"] == "test", spec
first = spec["weights"][0]
message(first + " " + (RUN / first).read_text())
for line in (RUN / "inputs" / "test.jsonl").read_text().splitlines():
    entry = json.loads(line)
    assert (RUN / "inputs" / "objects" / entry["image"]).stat().st_size > 100
    box = {"class": "crack", "confidence": 0.5, "shape": {"type": "rectangle", "exterior": [[1, 1], [5, 5]]}}
    markup = {"version": 1, "image": {"representation": "", "value": ""}, "annotation": [box]}
    event("result", image=entry["name"], description="ObjectDetection", markup=markup)
event("result", image="stranger.jpg", description="", markup={"version": 1, "annotation": []})
"""


def test_a_test_run_gets_the_best_weights_first_and_results_meet_their_truth(
    live: LiveWorkstation, dataset_id: str
) -> None:
    train = live.until_final(live.start_run(live.project(TRAIN), dataset_id=dataset_id))
    assert train.state == "finished", train
    assert [(s.role, s.version) for s in train.samples] == [("train", 1), ("val", 1), ("test", 1)]
    project_id = train.project_id
    live.ok("PUT", f"/projects/{project_id}/code/test.py", content=live.script(TEST).encode())
    test = live.until_final(
        live.start_run(project_id, "test", dataset_id=dataset_id, train_run_id=train.id, split_roles={"test": "train"})
    )
    assert test.state == "finished", test
    assert test.weights == ("best.ckpt", "last.pth", "m.onnx")
    (message,) = live.messages(test)
    assert message.text == "weights/best.ckpt " + "best.ckpt" * 10
    page = live.ok("GET", f"/runs/{test.id}/results")
    assert [r["name"] for r in page["results"]] == ["a.jpg", "b.jpg", "stranger.jpg"]
    assert page["total"] == 3 and page["classes"] == ["crack", "pore"]
    known, empty, stranger = page["results"]
    assert known["dataset_id"] == dataset_id and (known["width"], known["height"]) == (40, 20)
    assert {a["class"] for a in known["truth"]["annotation"]} == {"crack", "pore"}
    assert empty["truth"]["annotation"] == [] and stranger["truth"] is None and stranger["item_id"] is None
    only_pores = live.ok("GET", f"/runs/{test.id}/results?class_name=pore")
    assert [r["name"] for r in only_pores["results"]] == ["a.jpg"] and only_pores["total"] == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"device": "cuda:9"}, 422, "device_unknown"),
        ({"seed": -1}, 422, "seed_out_of_range"),
        ({"arguments": "'open"}, 422, "arguments_unbalanced"),
        ({"params": {"basic params": {"unheard": 1}}}, 422, "parameters_invalid"),
        ({"dataset_id": "nothing"}, 404, "dataset_not_found"),
        ({"dataset_version": 99}, 404, "version_not_found"),
        ({"train_run_id": "nothing"}, 404, "run_not_found"),
        ({"project_id": "nothing"}, 404, "project_not_found"),
        ({"unheard": 1}, 422, "request_invalid"),
    ],
)
def test_what_can_not_run_is_refused_and_leaves_nothing(
    live: LiveWorkstation, dataset_id: str, fields: dict[str, object], status: int, code: str
) -> None:
    project_id = live.project("pass")
    before = live.ok("GET", "/runs")
    body = {"project_id": project_id, "kind": "train", "dataset_id": dataset_id, **fields}
    response = live.client.post("/runs", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert live.ok("GET", "/runs") == before


def test_a_parameter_out_of_range_is_named(live: LiveWorkstation) -> None:
    project_id = live.project("message(json.dumps(json.loads((RUN / 'run.json').read_text())['params']))")
    epochs = {"name": "epochs", "type": "int", "default": 3, "minimum": 1, "maximum": 10}
    live.ok("PATCH", f"/projects/{project_id}", json={"parameters": {"train": [epochs]}})
    params = {"basic params": {"epochs": 11}}
    refused = live.client.post("/runs", json={"project_id": project_id, "kind": "train", "params": params})
    assert refused.status_code == 422 and "epochs" in json.dumps(refused.json()["problems"])
    run = live.until_final(live.start_run(project_id))
    assert json.loads(live.messages(run)[0].text) == {"basic params": {"epochs": 3}} == run.params


def test_weights_of_another_project_are_refused(live: LiveWorkstation) -> None:
    mine, other = live.project("pass"), live.project("pass")
    run = live.until_final(live.start_run(other))
    for project_id, code in ((mine, "run_not_of_project"), (other, "run_without_weights")):
        body = {"project_id": project_id, "kind": "test", "train_run_id": run.id}
        assert live.client.post("/runs", json=body).json()["code"] == code


def test_runs_are_listed_newest_first_in_pages(live: LiveWorkstation) -> None:
    project_id = live.project("pass")
    runs = [live.start_run(project_id, kind) for kind in ("train", "test", "train")]
    listed = live.ok("GET", f"/runs?project_id={project_id}&limit=2")
    assert [r["id"] for r in listed] == [runs[2].id, runs[1].id]
    assert [r["id"] for r in live.ok("GET", f"/runs?project_id={project_id}&before={runs[1].id}")] == [runs[0].id]
    assert [r["id"] for r in live.ok("GET", f"/runs?project_id={project_id}&kind=test")] == [runs[1].id]
    for run in runs:
        live.until_final(run)


def test_the_script_sees_no_secret_of_the_workstation(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project("message(json.dumps(dict(os.environ)))")))
    environment = json.loads(live.messages(run)[0].text)
    assert {name for name in environment if name.startswith("ARM_")} == {"ARM_RUN_DIR", "ARM_API_SOCKET"}
    assert environment["HOME"] == str(live.folder(run) / "home") and environment["CUDA_VISIBLE_DEVICES"] == ""
    assert "live-workstation-token" not in json.dumps(environment) and "PYTHONPATH" not in environment
