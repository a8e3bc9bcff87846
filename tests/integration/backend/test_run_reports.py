"""Intake of events against the real stores: exactly once, whatever is repeated, torn, delayed or broken."""

import hashlib
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from backend.contracts.workers import Device
from backend.stores.mongo.run_cursor_store import RunCursorStore
from backend.wiring import Connections, Services
from tests.integration.uploads import zip_of

FILE = "12-0.jsonl"


class AgentClient:
    """Speaks as the agent of one claimed run."""

    def __init__(self, api: TestClient, run_id: str, token: str) -> None:
        self.api, self.run_id = api, run_id
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, offset: int, content: bytes, file: str = FILE, expect: int = 200) -> dict[str, object]:
        response = self.api.post(
            f"/api/agent/runs/{self.run_id}/events?file={file}&offset={offset}", content=content, headers=self.headers
        )
        assert response.status_code == expect, response.text
        return dict(response.json())

    def get(self, what: str) -> object:
        response = self.api.get(f"/api/runs/{self.run_id}/{what}")
        assert response.status_code == 200, response.text
        return response.json()

    def iters(self, name: str = "loss") -> list[int]:
        return next((s["iters"] for s in self.get("points?max_points=100000")["series"] if s["name"] == name), [])  # type: ignore[index]


@pytest.fixture(scope="module")
def project_id(api: TestClient) -> str:
    project = api.post("/api/projects", json={"name": "P"}).json()
    api.put(f"/api/projects/{project['id']}/code", content=zip_of({"train.py": b"pass", "test.py": b"pass"}))
    return str(project["id"])


@pytest.fixture
def agent(api: TestClient, project_id: str) -> Iterator[AgentClient]:
    created = api.post("/api/runs", json={"project_id": project_id, "kind": "train"})
    assert created.status_code == 200, created.text
    device = Device(name="cpu", title="CPU", worker="w", slots=100).model_dump()  # runs of other tests stay active
    claim = api.post("/api/workers/claim", json={"worker": "w", "devices": [device], "wait_s": 0}).json()
    assert claim["run_id"] == created.json()["id"]
    headers = {"Authorization": f"Bearer {claim['token']}"}
    api.post(f"/api/agent/runs/{claim['run_id']}/heartbeat", json={}, headers=headers).raise_for_status()
    yield AgentClient(api, claim["run_id"], claim["token"])


def line(k: str, **fields: object) -> bytes:
    return json.dumps({"k": k, "t": fields.pop("t", 1.0), "s": 0, **fields}).encode() + b"\n"


def points(start: int, stop: int, name: str = "loss", t: float = 1.0) -> bytes:
    return b"".join(line("point", name=name, v=float(i), e=0, i=i, t=t) for i in range(start, stop))


def test_a_repeated_batch_counts_once(agent: AgentClient) -> None:
    first, second = points(0, 10) + line("message", level="info", text="once"), points(10, 20)
    assert agent.post(0, first)["accepted"] == len(first)
    for _ in range(3):
        assert agent.post(0, first)["accepted"] == len(first)
    agent.post(len(first), second)
    assert agent.post(0, first)["accepted"] == len(first) + len(second)
    assert agent.iters() == list(range(20))
    assert agent.get("messages") == [{"time": 1.0, "level": "info", "text": "once", "reason": None}]


def test_a_batch_out_of_order_is_refused_and_told_where_to_go_on(agent: AgentClient) -> None:
    first = points(0, 5)
    agent.post(0, first)
    refusal = agent.post(len(first) + 100, points(9, 10), expect=409)
    assert refusal["code"] == "batch_out_of_order" and refusal["params"]["accepted"] == len(first)  # type: ignore[index]
    assert agent.iters() == list(range(5))


def test_a_torn_batch_is_refused(agent: AgentClient) -> None:
    assert agent.post(0, points(0, 2)[:-1], expect=422)["code"] == "batch_torn"
    assert agent.get("points") == {"version": 0, "series": []}


def test_a_crash_before_the_cursor_moves_doubles_and_loses_nothing(
    agent: AgentClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CrashError(Exception):
        pass

    def crash(*_: object) -> None:
        raise CrashError

    short, longer = points(0, 10) + line("message", level="error", text="e"), points(10, 30)
    with monkeypatch.context() as patch:
        patch.setattr(RunCursorStore, "advance", crash)
        with pytest.raises(CrashError):
            services.run.agents.events(agent.run_id, FILE, 0, short)
    # The repetition holds more lines by now: the piece that was begun is completed first, the rest comes next.
    assert agent.post(0, short + longer)["accepted"] == len(short)
    assert agent.post(len(short), longer)["accepted"] == len(short + longer)
    assert agent.iters() == list(range(30))
    assert len(agent.get("messages")) == 1  # type: ignore[arg-type]
    assert agent.get("points")["version"] == 30  # type: ignore[index]


def test_senders_of_the_same_piece_at_the_same_time_do_not_disturb_each_other(
    agent: AgentClient, services: Services
) -> None:
    content = b"".join(points(i, i + 1) + line("message", level="info", text=str(i)) for i in range(300))
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    chance = random.Random(5)

    def send_all(_: int) -> None:
        accepted = 0
        while accepted < len(content):
            later = [end for end in ends if end > accepted]
            end = chance.choice(later[: chance.randint(1, 60)])
            try:
                accepted = services.run.agents.events(agent.run_id, FILE, accepted, content[accepted:end]).accepted
            except Exception as error:  # noqa: BLE001  only one is expected
                assert getattr(error, "code", "") == "batch_out_of_order", error

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send_all, range(4)))
    assert agent.iters() == list(range(300))
    assert [m["text"] for m in agent.get("messages?limit=5000")] == [str(i) for i in range(300)]  # type: ignore[index, attr-defined]
    run = agent.api.get(f"/api/runs/{agent.run_id}").json()
    assert run["message_counts"]["info"] == 300


def test_bad_lines_are_one_warning_and_harm_nobody(agent: AgentClient) -> None:
    first = b"not json\n" + points(0, 1) + b'{"k": "alien", "t": 1}\n\n' + b'\xff\xfe\n{"k": "point", "t": 1}\n'
    agent.post(0, first)
    second = points(1, 2) + line("message", level="loud", text="x") + line("point", name="loss", v=1, e=2**70, i=0)
    agent.post(len(first), second)
    assert agent.iters() == [0, 1]
    (message,) = agent.get("messages")  # type: ignore[misc]
    assert message["level"] == "warning" and message["reason"]["code"] == "malformed_events"
    assert message["reason"]["params"]["count"] == 6 and FILE in message["text"]
    run = agent.api.get(f"/api/runs/{agent.run_id}").json()
    assert run["message_counts"] == {"info": 0, "warning": 1, "error": 0}


def test_files_of_several_processes_become_one_series_by_time(agent: AgentClient) -> None:
    agent.post(0, points(0, 3, t=1) + points(6, 9, t=3), file="20-0.jsonl")
    agent.post(0, points(3, 6, t=2), file="10-0.jsonl")
    assert agent.iters() == list(range(9))


def test_numbers_beyond_32_bits_and_beyond_json_survive(agent: AgentClient) -> None:
    agent.post(
        0, points(0, 1) + points(2**40, 2**40 + 1) + line("point", name="loss", v=None, special="-inf", e=0, i=-1)
    )
    assert agent.iters() == [0, 2**40, -1]
    (series,) = agent.get("points")["series"]  # type: ignore[index]
    assert series["values"] == [0.0, float(2**40), None] and series["steps"] == [0, 1, 2]


def test_points_are_not_sent_again_when_nothing_came(agent: AgentClient) -> None:
    content = points(0, 5)
    agent.post(0, content)
    version = agent.get("points")["version"]  # type: ignore[index]
    assert agent.api.get(f"/api/runs/{agent.run_id}/points?version={version}").status_code == 304
    agent.post(len(content), points(5, 6))
    assert agent.api.get(f"/api/runs/{agent.run_id}/points?version={version}").json()["version"] == 6


def test_the_latest_metric_and_result_win_whatever_comes_last(agent: AgentClient) -> None:
    def table(t: float, cell: int) -> bytes:
        return line("metric", t=t, name="m", kind="table", data={"columns": ["a.b", "$c"], "rows": [[cell, None]]})

    def box(t: float, class_name: str) -> bytes:
        return line("result", t=t, image="a.jpg", markup={"version": 1, "annotation": [{"class": class_name}]})

    agent.post(0, table(5, 55) + box(5, "late"), file="1-0.jsonl")
    agent.post(0, table(4, 44) + box(4, "early"), file="2-0.jsonl")
    (metric,) = agent.get("metrics")  # type: ignore[misc]
    assert metric["data"] == {"columns": ["a.b", "$c"], "rows": [[55, None]]}
    assert agent.get("results")["classes"] == ["late"]  # type: ignore[index]


def test_progress_never_goes_back_in_time(agent: AgentClient) -> None:
    agent.post(0, line("progress", t=5, v=70), file="1-0.jsonl")
    agent.post(0, line("progress", t=4, v=20), file="2-0.jsonl")
    assert agent.api.get(f"/api/runs/{agent.run_id}").json()["progress"] == 70


def test_the_newest_messages_of_a_level_come_oldest_first(agent: AgentClient) -> None:
    a = b"".join(line("message", level="info", text=f"a{t}", t=t) for t in range(0, 100, 2))
    b = b"".join(line("message", level="info", text=f"b{t}", t=t) for t in range(1, 100, 2))
    agent.post(0, a, file="1-0.jsonl")
    agent.post(0, b + line("message", level="error", text="bad", t=200), file="2-0.jsonl")
    newest = [m["text"] for m in agent.get("messages?level=info&limit=4")]  # type: ignore[attr-defined, index]
    assert newest == ["a96", "b97", "a98", "b99"]


def test_a_line_too_long_to_be_sent_is_skipped_and_reported(agent: AgentClient) -> None:
    first, length = points(0, 3), 40 << 20
    agent.post(0, first)
    url = f"/api/agent/runs/{agent.run_id}/events?file={FILE}&skipped_bytes={length}&offset="
    for _ in range(2):
        reply = agent.api.post(f"{url}{len(first)}", headers=agent.headers)
        assert (reply.status_code, reply.json()["accepted"]) == (200, len(first) + length)
    assert agent.api.post(f"{url}{len(first) + length + 5}", headers=agent.headers).status_code == 409
    agent.post(len(first) + length, points(3, 5))
    assert agent.iters() == list(range(5))
    (message,) = agent.get("messages")  # type: ignore[misc]
    assert message["reason"]["code"] == "malformed_events" and message["reason"]["params"]["count"] == 1  # type: ignore[index]
    assert "40.0 MiB" in message["text"]  # type: ignore[index]


def test_info_of_a_file_nested_without_end_is_refused(agent: AgentClient) -> None:
    sha256 = hashlib.sha256(b"x").hexdigest()
    info = '{"a":' + "[" * 8000 + "]" * 8000 + "}"
    url = f"/api/agent/runs/{agent.run_id}/artifacts"
    params = {"kind": "file", "sha256": sha256, "path": "a.bin", "info": info}
    refused = agent.api.put(url, params=params, content=b"x", headers=agent.headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "artifact_info_invalid")


def test_half_a_character_in_json_is_a_bad_request(api: TestClient, project_id: str) -> None:
    body = b'{"project_id": "%s", "kind": "train", "arguments": "\\ud800"}' % project_id.encode()
    refused = api.post("/api/runs", content=body, headers={"Content-Type": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "text_not_utf8")


def test_a_file_with_another_hash_is_not_kept(agent: AgentClient, connections: Connections) -> None:
    sha256 = hashlib.sha256(b"promised").hexdigest()
    url = f"/api/agent/runs/{agent.run_id}/artifacts?kind=file&sha256={sha256}&path="
    refused = agent.api.put(url + "a.bin", content=b"delivered", headers=agent.headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "artifact_hash_differs")
    assert agent.get("artifacts") == [] and not connections.objects.exists(hashlib.sha256(b"delivered").hexdigest())
    assert agent.api.put(url + "../a", content=b"promised", headers=agent.headers).json()["code"] == "path_climbs"
    assert agent.api.put(url + "sub/a.bin", content=b"promised", headers=agent.headers).status_code == 200
    assert [a["path"] for a in agent.get("artifacts")] == ["sub/a.bin"]  # type: ignore[attr-defined, index]


def test_a_token_opens_its_own_run_only(agent: AgentClient, api: TestClient, project_id: str) -> None:
    other = api.post("/api/runs", json={"project_id": project_id, "kind": "train"}).json()["id"]
    for run_id, headers in ((other, agent.headers), (agent.run_id, {"Authorization": "Bearer guess"}), (other, {})):
        assert api.get(f"/api/agent/runs/{run_id}/spec", headers=headers).status_code == 403
    assert api.get("/api/runs", headers=agent.headers).status_code == 403
    spec = api.get(f"/api/agent/runs/{agent.run_id}/spec", headers=agent.headers).json()
    code = spec["code"]["train.py"]
    assert api.get(f"/api/objects/{code}", headers=agent.headers).content == b"pass"
    stranger = hashlib.sha256(b"somebody else's").hexdigest()
    assert api.get(f"/api/objects/{stranger}", headers=agent.headers).status_code == 403
    api.post(f"/api/runs/{other}/stop")


def test_a_final_run_stays_as_it_ended(agent: AgentClient) -> None:
    def tell(what: str, **body: object) -> int:
        return agent.api.post(f"/api/agent/runs/{agent.run_id}/{what}", json=body, headers=agent.headers).status_code

    reason = {"code": "finished"}
    assert tell("finished", state="finished", reason=reason) == 409  # it has not even started
    assert tell("started", pid=1, isolation="process") == tell("started", pid=1, isolation="process") == 200
    assert tell("finished", state="running", reason=reason) == 422
    assert tell("finished", state="finished", reason=reason) == tell("finished", state="finished", reason=reason) == 200
    assert tell("finished", state="failed", reason=reason) == tell("started", pid=1, isolation="x") == 409
    reply = agent.api.post(f"/api/agent/runs/{agent.run_id}/heartbeat", json={}, headers=agent.headers).json()
    assert reply["is_stop_requested"] is True
    assert agent.api.post(f"/api/runs/{agent.run_id}/stop").json()["state"] == "finished"


def test_a_living_log_is_long_and_shrinks_with_the_end(agent: AgentClient) -> None:
    def tell(what: str, **body: object) -> None:
        path = f"/api/agent/runs/{agent.run_id}/{what}"
        agent.api.post(path, json=body, headers=agent.headers).raise_for_status()

    def log(stream: str) -> str:
        return agent.api.get(f"/api/runs/{agent.run_id}/logs/{stream}").text

    text = "".join(f"{number:015}\n" for number in range(5000))
    tell("started", pid=1, isolation="process")
    tell("heartbeat", stdout_tail=text, stderr_tail=text)
    assert log("stdout") == log("stderr") == text[-(64 << 10) :]
    assert agent.get("")["stderr_tail"] == text[-(8 << 10) :]  # type: ignore[index]
    tell("finished", state="finished", reason={"code": "finished"})
    assert log("stdout") == log("stderr") == text[-(8 << 10) :]
