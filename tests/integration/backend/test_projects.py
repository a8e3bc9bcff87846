"""Projects over HTTP: code in, parameters and launch files filled, every mistake answered with its place."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from backend.domain.code_tree import files_from_manifest
from backend.wiring import Connections
from tests.integration.uploads import zip_of, zip_with_link, zip_with_mode

PARAMS = b"""train:
  basic params:
    epochs: {default: 3, min: 1, max: 100, description: passes}
    lr: 1e-3
  network:
    backbone: {choices: [lite0, resnet50], default: lite0}
test:
  basic params:
    threshold: {default: 0.5, min: 0, max: 1}
"""
CODE = {"train.py": b"print('train')\n", "test.py": b"print('test')\n", "lib/model.py": b"x = 1\n"}


@pytest.fixture
def project(api: TestClient) -> str:
    return str(api.post("/api/projects", json={"name": "Сварка"}).json()["id"])


def put_code(api: TestClient, project: str, content: bytes):
    return api.put(f"/api/projects/{project}/code", content=content)


def test_create_list_change_delete(api: TestClient, project: str) -> None:
    assert project in [p["id"] for p in api.get("/api/projects").json()]
    changed = api.patch(f"/api/projects/{project}", json={"name": " New ", "arguments": "--a 'b c'"}).json()
    assert (changed["name"], changed["arguments"], changed["device"]) == ("New", "--a 'b c'", "cpu")
    assert api.get("/api/projects").json()[0]["id"] == project
    assert api.delete(f"/api/projects/{project}").status_code == 204
    assert api.get(f"/api/projects/{project}").json()["code"] == "project_not_found"


def test_zip_fills_code_parameters_and_launch_files(api: TestClient, project: str, connections: Connections) -> None:
    files = {f"solution/{path}": content for path, content in {**CODE, "params.yaml": PARAMS}.items()}
    noise = {"solution/.git/HEAD": b"x", "solution/__pycache__/a.pyc": b"x", "solution/.venv/bin/python": b"x"}
    filled = put_code(api, project, zip_of({**files, **noise})).json()
    assert [f["path"] for f in filled["code"]["files"]] == ["lib/model.py", "params.yaml", "test.py", "train.py"]
    assert (filled["train_file"], filled["test_file"]) == ("train.py", "test.py")
    epochs, lr, backbone = filled["parameters"]["train"]
    assert (epochs["name"], epochs["type"], epochs["default"], epochs["maximum"]) == ("epochs", "int", 3, 100)
    assert (lr["type"], lr["default"]) == ("float", 0.001)
    assert (backbone["group"], backbone["type"], backbone["choices"]) == ("network", "choice", ["lite0", "resnet50"])
    assert filled["parameters"]["test"][0]["default"] == 0.5
    manifest = files_from_manifest(connections.objects.read_bytes(filled["code"]["sha256"]))
    assert [f.model_dump() for f in manifest] == filled["code"]["files"]


def test_descriptions_in_two_languages_are_kept_and_a_plain_one_too(api: TestClient, project: str) -> None:
    written = PARAMS.replace(b"passes", "{en: passes, ru: проходы}".encode())
    put_code(api, project, zip_of({**CODE, "params.yaml": written}))
    kept = api.get(f"/api/projects/{project}").json()["parameters"]
    assert kept["train"][0]["description"] == {"en": "passes", "ru": "проходы"}
    changed = {**kept, "test": [{**kept["test"][0], "description": {"ru": "порог"}}]}
    assert api.patch(f"/api/projects/{project}", json={"parameters": changed}).json()["parameters"] == changed
    for wrong, status in (({}, 422), ({"de": "Schwelle"}, 422), ({"en": 5}, 422), ("порог", 200)):
        changed["test"] = [{**kept["test"][0], "description": wrong}]
        assert api.patch(f"/api/projects/{project}", json={"parameters": changed}).status_code == status, wrong


def test_second_upload_replaces_code_but_keeps_what_still_holds(api: TestClient, project: str) -> None:
    first = put_code(api, project, zip_of({**CODE, "other.py": b"", "params.yaml": PARAMS})).json()
    api.patch(f"/api/projects/{project}", json={"train_file": "other.py"})
    second = put_code(api, project, zip_of({"other.py": b"new", "readme.md": b""})).json()
    assert [f["path"] for f in second["code"]["files"]] == ["other.py", "readme.md"]
    assert (second["train_file"], second["test_file"]) == ("other.py", "")
    assert second["parameters"] == first["parameters"]


def test_equal_trees_have_equal_hashes(api: TestClient, project: str) -> None:
    first = put_code(api, project, zip_of(CODE)).json()["code"]["sha256"]
    assert put_code(api, project, zip_of(dict(reversed(CODE.items())))).json()["code"]["sha256"] == first
    changed = api.put(f"/api/projects/{project}/code/train.py", content=b"other").json()["code"]["sha256"]
    assert changed != first
    back = api.put(f"/api/projects/{project}/code/train.py", content=CODE["train.py"]).json()["code"]["sha256"]
    assert back == first


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (zip_of({"readme.md": b"", "model.pth": b""}), "solution_without_launch_file"),
        (zip_of({"../train.py": b""}), "path_climbs"),
        (zip_of({"/train.py": b""}), "path_absolute"),
        (zip_with_link("data", "/etc", CODE), "archive_symlink"),
        (zip_with_mode("dev", stat.S_IFCHR | 0o644, b"", CODE), "archive_special_file"),
        (zip_of({**CODE, "bomb.py": b"\0" * (10 << 20)}), "archive_ratio"),
        (zip_of({**CODE, "a.bin": bytes(range(256)) * (80 << 10)}), "archive_too_large"),
        (zip_of({**CODE, "params.yaml": PARAMS, "params.json": b"{}"}), "parameter_files_two"),
        (zip_of({**CODE, "solution.json": b'{"format": 9, "parameters": []}'}), "solution_manifest_invalid"),
        (zip_of({**CODE, "solution.json": b'{"train_file": "none.py"}'}), "launch_file_not_found"),
        (b"not a zip", "archive_not_zip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_upload_leaves_the_project_as_it_was(api: TestClient, project: str, content: bytes, code: str) -> None:
    before = put_code(api, project, zip_of(CODE)).json()
    reply = put_code(api, project, content)
    assert reply.status_code in (413, 422) and reply.json()["code"] == code
    assert api.get(f"/api/projects/{project}").json() == before


def test_solution_without_launch_file_names_what_was_found(api: TestClient, project: str) -> None:
    message = put_code(api, project, zip_of({"notes/readme.md": b"", "model.pth": b""})).json()["message"]
    assert "model.pth" in message and "readme.md" in message


def test_faulty_params_file_is_located(api: TestClient, project: str) -> None:
    content = b"train:\n  net:\n    epochs:\n      default: 500\n      max: 100\n    lr: [1]\n"
    reply = put_code(api, project, zip_of({**CODE, "params.yaml": content})).json()
    assert reply["code"] == "parameter_file_invalid"
    assert [(p["code"], p["file"], p["line"]) for p in reply["problems"]] == [
        ("parameter_out_of_range", "params.yaml", 3),
        ("parameter_value_not_scalar", "params.yaml", 6),
    ]
    assert reply["problems"][0]["params"]["range"] == "≤ 100"


def test_single_files(api: TestClient, project: str) -> None:
    path = f"/api/projects/{project}/code"
    put_code(api, project, zip_of(CODE))
    added = api.put(f"{path}/params.yaml", content=PARAMS).json()
    assert added["parameters"]["train"][0]["name"] == "epochs"
    assert api.get(f"{path}/lib/model.py").json() == {
        "path": "lib/model.py",
        "text": "x = 1\n",
        "is_truncated": False,
        "is_binary": False,
    }
    removed = api.delete(f"{path}/train.py").json()
    assert (removed["train_file"], removed["test_file"]) == ("", "test.py")
    assert api.get(f"{path}/train.py").json()["code"] == "file_not_found"
    assert api.delete(f"{path}/train.py").status_code == 404
    assert api.put(f"{path}/lib", content=b"").json()["code"] == "path_clash"
    assert api.put(f"{path}/a%5Cb.py", content=b"").json()["code"] == "path_backslash"
    assert api.put(f"{path}/x/%2e%2e/%2e%2e/b.py", content=b"").status_code in (404, 422)
    assert api.put(f"{path}/big.bin", content=b"x" * (17 << 20)).status_code == 413


def test_text_view_of_long_and_binary_files(api: TestClient, project: str) -> None:
    path = f"/api/projects/{project}/code"
    api.put(f"{path}/long.txt", content="xж".encode() * 100_000)
    long = api.get(f"{path}/long.txt").json()
    assert long["is_truncated"] and not long["is_binary"] and len(long["text"].encode()) <= 256 * 1024
    api.put(f"{path}/weights.bin", content=b"\x80\x00\x01")
    assert api.get(f"{path}/weights.bin").json()["is_binary"]


def parameter(**fields: object) -> dict:
    return {"parameters": {"train": [{"group": "g", "name": "n", "type": "int", "default": 1, **fields}]}}


@pytest.mark.parametrize(
    ("update", "code"),
    [
        ({"train_file": "none.py"}, "launch_file_not_found"),
        ({"test_file": "readme.md"}, "launch_file_not_python"),
        ({"arguments": "--name 'x"}, "arguments_unbalanced"),
        ({"device": " "}, "device_invalid"),
        ({"name": " "}, "name_invalid"),
        (parameter(default=200, maximum=100), "parameter_out_of_range"),
        (parameter(minimum=5, maximum=1), "parameter_limits_bad"),
        (parameter(name=""), "parameter_name_bad"),
        (parameter(default="x"), "parameter_not_number"),
        (parameter(default=1.5), "parameter_not_whole"),
        (parameter(type="choice", default="a"), "parameter_choices_bad"),
        (parameter(type="choice", default="a", choices=["b"]), "parameter_not_a_choice"),
        (parameter(type="bool", default="yes"), "parameter_not_bool"),
        (parameter(type="str", default="x", minimum=1), "parameter_limits_need_number"),
    ],
)
def test_bad_change_is_refused_and_located(api: TestClient, project: str, update: dict, code: str) -> None:
    before = put_code(api, project, zip_of({**CODE, "readme.md": b""})).json()
    reply = api.patch(f"/api/projects/{project}", json=update)
    assert reply.status_code == 422
    assert code in [reply.json()["code"], *[p["code"] for p in reply.json()["problems"]]]
    if "parameters" in update:
        assert reply.json()["problems"][0]["params"]["kind"] == "train"
    assert api.get(f"/api/projects/{project}").json() == before


def test_simultaneous_file_uploads_all_arrive(api: TestClient, project: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda n: api.put(f"/api/projects/{project}/code/f{n}.py", content=b"x"), range(4)))
    assert [reply.status_code for reply in replies] == [200] * 4
    files = api.get(f"/api/projects/{project}").json()["code"]["files"]
    assert [f["path"] for f in files] == [f"f{n}.py" for n in range(4)]


def test_project_with_unfinished_runs_stays(api: TestClient, project: str, connections: Connections) -> None:
    connections.database["runs"].insert_one({"_id": "r", "number": 1, "project_id": project, "state": "running"})
    assert api.delete(f"/api/projects/{project}").json()["code"] == "project_in_use"
    connections.database["runs"].delete_one({"_id": "r"})
    assert api.delete(f"/api/projects/{project}").status_code == 204
