"""The list of runs is written without models: it must say of each run what the model says."""

import json

from fastapi.testclient import TestClient

from backend.contracts.runs import Run
from backend.stores.mongo import run_list
from backend.wiring import Connections
from tests.integration.uploads import zip_of

DEVICE = {"name": "cpu", "title": "CPU", "worker": "w"}
MESSAGE = {"k": "message", "t": 1.0, "s": 0, "level": "warning", "text": "x"}


def project(api: TestClient) -> str:
    project_id = str(api.post("/api/projects", json={"name": "Сварка"}).json()["id"])
    api.put(f"/api/projects/{project_id}/code", content=zip_of({"train.py": b"pass"}))
    return project_id


def start(api: TestClient, project_id: str) -> str:
    body = {"project_id": project_id, "kind": "train", "labels": ["lab"]}
    return str(api.post("/api/runs", json=body).json()["id"])


def listed(api: TestClient, **params: object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = api.get("/api/runs", params=params).raise_for_status().json()  # type: ignore[arg-type]
    return found


def assert_list_is_true(api: TestClient, project_id: str) -> None:
    for run in listed(api, project_id=project_id):
        alone = api.get(f"/api/runs/{run['id']}").json()
        assert run == alone | {"stderr_tail": "", "waits_for": None}
        assert set(run) == set(Run.model_fields)


def test_list_says_of_each_run_what_the_run_itself_says_in_every_state(api: TestClient) -> None:
    project_id = project(api)
    run_id = start(api, project_id)
    start(api, project_id)
    assert_list_is_true(api, project_id)

    request = {"worker": "w", "devices": [DEVICE], "labels": ["lab"], "wait_s": 0}
    claim = api.post("/api/workers/claim", json=request).json()
    assert claim["run_id"] == run_id
    assert_list_is_true(api, project_id)

    agent, headers = f"/api/agent/runs/{run_id}", {"Authorization": f"Bearer {claim['token']}"}
    started = {"pid": 1, "isolation": "process", "process_started_at": "2026-11-21T07:00:00.123Z"}
    api.post(f"{agent}/started", json=started, headers=headers).raise_for_status()
    lines = "".join(json.dumps(event) + "\n" for event in (MESSAGE, {"k": "progress", "t": 2.0, "s": 1, "v": 40}))
    api.post(f"{agent}/events?file=1-0.jsonl&offset=0", content=lines, headers=headers).raise_for_status()
    assert_list_is_true(api, project_id)
    assert listed(api, project_id=project_id)[1]["message_counts"] == {"info": 0, "warning": 1, "error": 0}

    ended = {"state": "failed", "reason": {"code": "script_failed", "params": {"code": 1}}, "stderr_tail": "Traceback"}
    api.post(f"{agent}/finished", json=ended, headers=headers).raise_for_status()
    assert_list_is_true(api, project_id)


def test_run_saved_before_a_field_existed_is_listed_with_its_default(api: TestClient, connections: Connections) -> None:
    project_id = project(api)
    run_id = start(api, project_id)
    younger = {"network": 1, "isolation": 1, "priority": 1, "limits": 1, "processes": 1}
    connections.database["runs"].update_one({"_id": run_id}, {"$unset": younger})
    assert_list_is_true(api, project_id)


def test_pages_follow_each_other_and_an_unknown_run_before_is_named(api: TestClient) -> None:
    project_id = project(api)
    ids = [start(api, project_id) for _ in range(3)]
    assert [run["id"] for run in listed(api, project_id=project_id, limit=2)] == ids[:0:-1]
    assert [run["id"] for run in listed(api, project_id=project_id, before=ids[1])] == ids[:1]
    assert listed(api, project_id=project_id, kind="test") == []
    reply = api.get("/api/runs?before=nobody")
    assert (reply.status_code, reply.json()["params"]) == (404, {"run": "nobody"})


def test_more_runs_than_are_kept_in_memory_are_listed_all_the_same(api: TestClient, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(run_list, "MAX_KEPT", 2)
    project_id = project(api)
    ids = [start(api, project_id) for _ in range(5)]
    for _ in range(2):
        assert [run["id"] for run in listed(api, project_id=project_id)] == ids[::-1]
        assert [run["id"] for run in listed(api, project_id=project_id, limit=1)] == ids[-1:]
