"""Documents, keys and files of projects over HTTP: confined to one project, limited, gone with it."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.contracts.workers import Device
from backend.settings import Settings
from backend.stores.object_store import ObjectStore
from backend.stores.redis.project_keys import KeyLimits, ProjectKeys
from backend.wiring import Connections
from tests.integration.uploads import zip_of


class Script:
    """What the agent of an active run passes on."""

    def __init__(self, api: TestClient) -> None:
        self.api = api
        self.project = str(api.post("/api/projects", json={"name": "P"}).json()["id"])
        api.put(f"/api/projects/{self.project}/code", content=zip_of({"train.py": b"pass", "test.py": b"pass"}))
        run = api.post("/api/runs", json={"project_id": self.project, "kind": "train"}).json()
        device = Device(name="cpu", title="CPU", worker="w", slots=100).model_dump()
        claim = api.post("/api/workers/claim", json={"worker": "w", "devices": [device], "wait_s": 0}).json()
        assert claim["run_id"] == run["id"]
        self.run_id, self.headers = claim["run_id"], {"Authorization": f"Bearer {claim['token']}"}

    def request(self, method: str, path: str, **options: Any) -> Any:
        return self.api.request(method, f"/api/agent/runs/{self.run_id}{path}", headers=self.headers, **options)

    def ok(self, path: str, **body: Any) -> Any:
        response = self.request("POST", path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, path: str, **body: Any) -> tuple[int, str]:
        response = self.request("POST", path, json=body)
        return response.status_code, response.json()["code"]

    def end(self) -> None:
        report = {"state": "finished", "reason": {"code": "script_finished"}, "exit_code": 0}
        response = self.request("POST", "/started", json={"pid": 1, "isolation": "process"})
        assert response.status_code == 200, response.text
        response = self.request("POST", "/finished", json=report)
        assert response.status_code == 200, response.text


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "project_documents": 50,
            "project_documents_mb": 3,
            "project_keys": 20,
            "project_keys_mb": 1,
            "project_files": 5,
            "project_files_mb": 1,
        }
    )


@pytest.fixture
def script(api: TestClient) -> Iterator[Script]:
    found = Script(api)
    yield found
    found.request("POST", "/finished", json={"state": "failed", "reason": {"code": "script_failed"}})


@pytest.fixture
def other(api: TestClient) -> Iterator[Script]:
    found = Script(api)
    yield found
    found.request("POST", "/finished", json={"state": "failed", "reason": {"code": "script_failed"}})


def test_two_projects_do_not_see_each_other(script: Script, other: Script) -> None:
    for owner, value in ((script, "mine"), (other, "theirs")):
        owner.ok("/documents/best/insert", documents=[{"_id": "a", "v": value}])
        owner.ok("/keys/set", key="k", value=value)
        assert owner.request("PUT", "/files?name=f", content=value.encode()).status_code == 200
    foreign = [{"project_id": other.project}, {"body.v": "theirs"}, {"$or": [{"project_id": other.project}]}]
    for asked in foreign:
        assert script.ok("/documents/best/find", filter=asked)["documents"] == []
    assert script.ok("/documents/best/find")["documents"] == [{"_id": "a", "v": "mine"}]
    assert script.ok("/documents/best/delete", filter={}, is_many=True)["count"] == 1
    assert other.ok("/documents/best/count")["count"] == 1
    for key in (f"project:{other.project}:k", f"../{other.project}:k", f"{other.project}:k", "*", "?"):
        assert script.ok("/keys/get", key=key)["is_found"] is False
        assert script.ok("/keys/keys", prefix=key)["value"] == []
    assert script.ok("/keys/keys")["value"] == ["k"]
    assert script.request("GET", "/files/content", params={"name": "f"}).content == b"mine"
    for name in (f"../{other.project}/f", "/f", "a/../../f", "..\\f", "a\x00b", "C:/f", ""):
        reply = script.request("GET", "/files/content", params={"name": name})
        assert (reply.status_code, reply.json()["code"][:5]) == (422, "path_"), name
        assert script.request("PUT", "/files", params={"name": name}, content=b"x").status_code == 422


def test_a_token_opens_its_own_run_only_while_it_is_active(script: Script, other: Script, api: TestClient) -> None:
    for token in ("", "Bearer x", script.headers["Authorization"]):
        path = f"/api/agent/runs/{other.run_id}/keys/get"
        reply = api.post(path, json={"key": "k"}, headers={"Authorization": token})
        assert (reply.status_code, reply.json()["code"]) == (403, "token_refused")
    # The installation's token is for people and workers: this data belongs to scripts.
    assert api.post(f"/api/agent/runs/{other.run_id}/keys/get", json={"key": "k"}).status_code == 403
    script.ok("/keys/set", key="k", value=1)
    script.end()
    for method, path in (("POST", "/keys/get"), ("POST", "/documents/c/find"), ("GET", "/files"), ("PUT", "/files")):
        reply = script.request(method, path, params={"name": "f"}, json={"key": "k"})
        assert (reply.status_code, reply.json()["code"]) == (403, "run_not_active")
        assert reply.json()["message"] and reply.json()["hint"]


def test_hostile_bodies_are_refused_in_words(script: Script) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert script.request("POST", "/documents/c/find", content=f'{{"filter": {{"a": {deep}}}}}').status_code == 422
    nested: Any = 1
    for _ in range(50):
        nested = {"a": nested}
    assert script.refused("/documents/c/insert", documents=[{"a": nested}]) == (422, "document_invalid")
    assert script.refused("/documents/c/find", filter={"a": nested}) == (422, "document_invalid")
    too_many = {"$or": [{"a": i} for i in range(500)]}
    assert script.refused("/documents/c/find", filter=too_many) == (422, "filter_invalid")
    large = script.request("POST", "/keys/set", content=b'{"key": "k", "value": "' + b"x" * (9 << 20) + b'"}')
    assert (large.status_code, large.json()["code"]) == (413, "upload_too_large")
    assert script.refused("/keys/set", key="k", value="x" * (1 << 20)) == (413, "key_value_too_large")
    assert script.refused("/keys/set", key="k\r\nFLUSHALL", value=1) == (422, "key_invalid")
    assert script.refused("/keys/set", key="k", value=1, ttl_s=1e9) == (422, "ttl_invalid")
    assert script.refused("/documents/c/insert", documents=[{"a": 1}], collection="runs") == (422, "request_invalid")
    half = script.request("POST", "/documents/c/insert", content=b'{"documents": [{"a": "\\ud800"}]}')
    assert half.status_code == 422
    assert script.refused("/documents/a%20b/insert", documents=[{}]) == (422, "collection_name_invalid")
    assert script.refused("/documents/c/aggregate", pipeline=[]) == (404, "no_such_address")


def test_a_document_can_not_grow_over_its_limit(script: Script) -> None:
    script.ok("/documents/c/insert", documents=[{"_id": "a", "l": []}])
    chunk = "x" * 200_000
    push = {"filter": {"_id": "a"}, "update": {"$push": {"l": chunk}}}
    for _ in range(5):
        script.ok("/documents/c/update", **push)
    assert script.refused("/documents/c/update", **push) == (413, "document_too_large")
    assert script.refused("/documents/c/update", **push, is_many=True) == (413, "document_too_large")


def test_quotas_of_documents(script: Script) -> None:
    script.ok("/documents/c/insert", documents=[{"n": n} for n in range(49)])
    assert script.refused("/documents/d/insert", documents=[{}, {}]) == (413, "quota_documents")
    upsert = {"filter": {"_id": "new"}, "update": {"$inc": {"n": 1}}, "upsert": True}
    script.ok("/documents/d/update", **upsert)
    assert script.refused("/documents/d/replace", filter={"a": 1}, document={}, upsert=True) == (413, "quota_documents")
    script.ok("/documents/c/delete", filter={}, is_many=True)
    large = {"t": "x" * 900_000}
    for _ in range(3):
        script.ok("/documents/c/insert", documents=[large])
    reply = script.request("POST", "/documents/c/insert", json={"documents": [large]}).json()
    assert reply["code"] == "quota_documents_bytes" and "3 MB" in reply["message"] and "ARM_" in reply["hint"]
    script.ok("/documents/c/delete", filter={"t": {"$exists": True}})
    script.ok("/documents/c/insert", documents=[large])


def test_quotas_of_keys_hold_against_many_at_once(script: Script) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = list(
            pool.map(
                lambda n: script.request("POST", "/keys/set", json={"key": f"k{n}", "value": n}).status_code, range(40)
            )
        )
    assert sorted(set(codes)) == [200, 413] and codes.count(200) == 20
    assert len(script.ok("/keys/keys")["value"]) == 20
    for name in script.ok("/keys/keys", prefix="k")["value"]:
        assert script.ok("/keys/delete", key=name)["value"] is True
    text = "x" * 400_000
    script.ok("/keys/push", key="l", values=[text])
    script.ok("/keys/push", key="l", values=[text])
    assert script.refused("/keys/push", key="l", values=[text]) == (413, "quota_key_bytes")
    assert script.refused("/keys/set", key="v", value=text) == (413, "quota_key_bytes")
    assert script.ok("/keys/pop", key="l")["value"] == text
    script.ok("/keys/set", key="v", value=text)


def test_keys_that_ended_make_room(connections: Connections, script: Script) -> None:
    limits = KeyLimits(max_keys=3, max_bytes=10_000, max_ttl_ms=60_000)
    keys = ProjectKeys(connections.redis, limits)
    for number in range(3):
        keys.set("ending", f"k{number}", b"1", 200, only_if_absent=False)
    keys.push("ending-2", "l", [b"1"])
    assert 50_000 < (keys.ttl_ms("ending-2", "l") or 0) <= 60_000
    time.sleep(0.3)
    assert keys.keys("ending", "") == []
    for number in range(3):
        assert keys.set("ending", f"new{number}", b"1", 60_000, only_if_absent=True)
    assert not keys.set("ending", "new0", b"2", 60_000, only_if_absent=True)
    assert int(connections.redis.get("project-keys:ending:total")) == 3 * (128 + 4 + 1)
    for project in ("ending", "ending-2"):
        keys.remove_project(project)
        assert list(connections.redis.scan_iter(f"project*{project}:*")) == []


def test_keys_of_one_kind_are_not_used_as_the_other(script: Script) -> None:
    script.ok("/keys/push", key="l", values=[1, "a", None])
    script.ok("/keys/set", key="s", value="text")
    for command, key in (("get", "l"), ("incr", "l"), ("push", "s"), ("pop", "s"), ("list", "s")):
        body = {"key": key} | ({"values": [1]} if command == "push" else {})
        assert script.refused(f"/keys/{command}", **body) == (409, "key_wrong_type"), command
    assert script.refused("/keys/incr", key="s") == (422, "key_not_whole")
    script.ok("/keys/set", key="n", value=2**63 - 1)
    assert script.refused("/keys/incr", key="n") == (422, "key_not_whole")
    assert script.ok("/keys/incr", key="m", by=2**60)["value"] == 2**60
    assert script.ok("/keys/incr", key="m")["value"] == 2**60 + 1


def test_files_are_replaced_shared_and_freed(script: Script, settings: Settings) -> None:
    place = Path(settings.objects_location) / "projects" / script.project
    objects = ObjectStore(str(place), settings.home_dir / "scratch")

    def put(name: str, content: bytes) -> Any:
        return script.request("PUT", "/files", params={"name": name}, content=content)

    first = put("a/b", b"one").json()
    assert put("./a//c", b"one").json()["name"] == "a/c"
    put("a/b", b"two")
    assert objects.exists(first["sha256"])  # a/c still leads to it
    assert script.request("DELETE", "/files", params={"name": "a/c"}).json()["value"] is True
    assert not objects.exists(first["sha256"])
    assert script.request("DELETE", "/files", params={"name": "a/c"}).json()["value"] is False
    page = script.request("GET", "/files", params={"prefix": "a/", "limit": 1}).json()
    assert ([f["name"] for f in page["files"]], page["next_after"]) == (["a/b"], None)
    assert script.request("GET", "/files/info", params={"name": "x"}).json()["code"] == "project_file_not_found"
    too_large = put("big", b"x" * ((1 << 20) + 1))
    assert (too_large.status_code, too_large.json()["code"]) == (413, "quota_files_bytes")
    assert put("big", b"x" * (1 << 19)).status_code == 200
    full = put("big2", b"y" * ((1 << 19) - 2))
    assert (full.status_code, full.json()["code"]) == (413, "quota_files_bytes")
    for number in range(3):
        assert put(f"s{number}", b"").status_code == 200
    assert put("s3", b"").json()["code"] == "quota_files"
    assert [f.name for f in place.rglob("*") if f.is_file()] and not list((settings.home_dir / "scratch").iterdir())


def test_what_a_project_keeps_goes_with_it(
    api: TestClient, script: Script, connections: Connections, settings: Settings
) -> None:
    script.ok("/documents/c/insert", documents=[{}])
    script.ok("/keys/set", key="k", value=1)
    script.ok("/keys/push", key="l", values=[1])
    script.request("PUT", "/files?name=f", content=b"x")
    assert api.delete(f"/api/projects/{script.project}").status_code == 409
    script.end()
    assert api.delete(f"/api/projects/{script.project}").status_code == 204
    for collection in ("project_documents", "project_files"):
        assert connections.database[collection].count_documents({"project_id": script.project}) == 0
    assert list(connections.redis.scan_iter(f"*{script.project}*")) == []
    assert not (Path(settings.objects_location) / "projects" / script.project).exists()
    assert api.delete(f"/api/projects/{script.project}").status_code == 404


def test_pages_of_large_answers_go_on_where_they_were_cut(script: Script) -> None:
    found = []
    script.ok("/documents/c/insert", documents=[{"_id": f"{n:02}", "t": "x" * 50_000} for n in range(40)])
    offset = 0
    while offset is not None:
        page = script.ok("/documents/c/find", offset=offset, limit=7, sort=[["_id", -1]])
        found += [document["_id"] for document in page["documents"]]
        offset = page["next_offset"]
    assert found == [f"{n:02}" for n in reversed(range(40))]
    assert json.dumps(script.request("GET", "/documents").json()) == '["c"]'
