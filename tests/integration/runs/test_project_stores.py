"""MongoAPI, RedisAPI and StorageAPI from real runs, sandboxed and not; what a hostile script tries with the socket."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.contracts.runs import Run
from backend.runs.launchers.bubblewrap import bubblewrap_fault
from tests.integration.runs.live_workstation import LiveWorkstation
from tests.integration.runs.test_run_adoption import agent_of

LIVE_VARIABLES = {"ARM_LEASE_S": "15"}
"""Long enough for a new agent to come, on a machine that is busy with other things."""
pytestmark = pytest.mark.parametrize("live", ["auto", "process"], indirect=True)
HELPERS = """
import http.client, socket, threading
import PlatformAPI
from PlatformAPI import MongoAPI, RedisAPI, StorageAPI, StoreError
def answer(value):
    message(json.dumps(value))
def raw(request, patience=30):
    with socket.socket(socket.AF_UNIX) as s:
        folder = os.open(os.path.dirname(os.environ["ARM_API_SOCKET"]), os.O_RDONLY)
        s.connect(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
        s.settimeout(patience)
        try:
            s.sendall(request)
            head = s.makefile("rb").readline().split()
        except ConnectionError:
            return 0
        return int(head[1]) if head else 0
def code_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except StoreError as error:
        assert str(error)
        return error.code
"""


@pytest.fixture
def isolation(live: LiveWorkstation, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.node.callspec.params["live"] == "process":
        return "process"
    fault = bubblewrap_fault(tmp_path / "etc")
    if fault is not None:
        pytest.skip(f"bubblewrap does not work here: {fault}")
    return "bubblewrap"


def ended(live: LiveWorkstation, run: Run, isolation: str) -> Run:
    run = live.until_final(run, patience_s=120)
    assert run.state == "finished" and run.isolation == isolation, (run.reason, run.stderr_tail)
    return run


def answer_of(live: LiveWorkstation, isolation: str, script: str) -> Any:
    run = ended(live, live.start_run(live.project(HELPERS + script)), isolation)
    return json.loads(live.messages(run)[-1].text)


def longest_wait_for_a_point(live: LiveWorkstation, run: Run, seconds: float, holds: Callable[[], bool]) -> float:
    """How long the page of the run stood still at worst, in `seconds` of looking; `holds` is checked meanwhile."""
    started = changed_at = time.monotonic()
    worst, last = 0.0, -1
    while (now := time.monotonic()) < started + seconds:
        newest = live.points(run).series[0].iters[-1]
        worst = max(worst, now - changed_at)
        if newest > last:
            last, changed_at = newest, now
        assert holds()
        time.sleep(0.1)
    return worst


WRITES = """
mongo, redis, storage = MongoAPI(), RedisAPI(), StorageAPI()
mongo.insert_many("epochs", [{"_id": f"{i:04}", "n": i, "tags": ["a", i % 3]} for i in range(1200)])
mongo.update_one("best", {"_id": "map"}, {"$set": {"value": 0.5, "имя": "лучшая"}}, upsert=True)
assert [d["_id"] for d in mongo.find("epochs")] == [f"{i:04}" for i in range(1200)]
mongo.insert_many("large", [{"t": "x" * 900_000} for _ in range(12)])
assert len(list(mongo.find("large"))) == mongo.delete_many("large", {}) == 12
redis.set("lr", {"value": 0.1}, ttl_s=3600)
redis.incr("runs")
redis.push("todo", "первое", {"second": 2})
big = os.urandom(5_000_000)
(Path("big.bin") if os.access(".", os.W_OK) else Path(os.environ["HOME"]) / "big.bin").write_bytes(big)
path = next(p for p in (Path("big.bin"), Path(os.environ["HOME"]) / "big.bin") if p.exists())
storage.put("models/лучшая.bin", path)
storage.put("empty", b"")
assert storage.get("models/лучшая.bin") == big and storage.get("empty") == b""
"""
READS = """
mongo, redis, storage = MongoAPI(), RedisAPI(), StorageAPI()
found = [d["n"] for d in mongo.find("epochs", {"n": {"$gte": 100}, "tags": 1}, sort=[("n", -1)])]
assert found == [n for n in reversed(range(1200)) if n >= 100 and n % 3 == 1]
target = storage.download("models/лучшая.bin", Path(os.environ["HOME"]) / "copy.bin")
with storage.open("models/лучшая.bin") as file:
    file.read(10)
answer([mongo.find_one("best"), mongo.list_collection_names(), mongo.count_documents("epochs"), redis.get("lr"),
    redis.incr("runs"), redis.list("todo"), redis.pop("todo"), redis.get("nothing", "default"), redis.keys(),
    storage.list(), storage.exists("empty"), storage.exists("none"), target.stat().st_size,
    redis.ttl("lr") <= 3600, code_of(storage.get, "none"), code_of(mongo.find_one, "c", {"$where": "1"}),
    code_of(mongo.insert_one, "best", {"_id": "map"}), storage.delete("empty"), storage.delete("empty")])
"""


def test_a_run_leaves_data_to_the_next_run_of_its_project(live: LiveWorkstation, isolation: str) -> None:
    project = live.project(HELPERS + WRITES)
    ended(live, live.start_run(project), isolation)
    live.ok("PUT", f"/projects/{project}/code/train.py", content=live.script(HELPERS + READS).encode())
    run = ended(live, live.start_run(project), isolation)
    assert json.loads(live.messages(run)[-1].text) == [
        {"_id": "map", "value": 0.5, "имя": "лучшая"},
        ["best", "epochs"],
        1200,
        {"value": 0.1},
        2,
        ["первое", {"second": 2}],
        "первое",
        "default",
        ["lr", "runs", "todo"],
        ["empty", "models/лучшая.bin"],
        True,
        False,
        5_000_000,
        True,
        "project_file_not_found",
        "operator_not_allowed",
        "document_exists",
        True,
        False,
    ]


def test_the_script_holds_no_token_and_nothing_else_passes(live: LiveWorkstation, isolation: str) -> None:
    other = live.ok("POST", "/projects", json={"name": "Other"})["id"]
    script = f"""
run = RUN.name
def status(method, path, body=b"", *headers):
    head = [f"{{method}} {{path}} HTTP/1.1", f"Content-Length: {{len(body)}}", *headers, "", ""]
    return raw("\\r\\n".join(head).encode() + body)
paths = ["/", "/spec", "/heartbeat", "/finished", "/events?file=x-1.jsonl&offset=0", "/artifacts", "/../../projects",
    "/documents/../../../projects", "/documents/%2e%2e/find", "/keys/../spec", "/files/../spec", "/files/%2e%2e/spec",
    "http://127.0.0.1:{live.port}/api/projects", "/documents/a/aggregate", "/keys/flushall",
    f"/agent/runs/{{run}}/spec", "/documents?x=1", "/files?name=a&project_id={other}"]
found = {{(m, p): status(m, p) for m in ("GET", "POST", "PUT", "DELETE", "PATCH", "CONNECT") for p in paths}}
passed = {{call: code for call, code in found.items() if not 400 <= code <= 501}}
assert not passed, passed
# Headers of the script do not reach the API.
assert status("POST", "/keys/get", b'{{"key": "k"}}', "Authorization: Bearer x", "X-Forwarded-For: 1.2.3.4") == 200
assert status("POST", "/keys/get", b'{{"key": "k"}}', "Transfer-Encoding: chunked") == 400
assert raw(b"GET /documents HTTP/1.1\\r\\n" + b"A: b\\r\\n" * 200 + b"\\r\\n") >= 400
assert raw(b"G" * 100_000 + b"\\r\\n\\r\\n") >= 400
assert raw(b"POST /keys/set HTTP/1.1\\r\\nContent-Length: 99999999999\\r\\n\\r\\n") == 413
assert raw(b"POST /keys/set HTTP/1.1\\r\\nContent-Length: -1\\r\\n\\r\\n") == 400
visible = "\\n".join(f"{{k}}={{v}}" for k, v in os.environ.items()) + (RUN / "run.json").read_text()
try:
    os.unlink(os.environ["ARM_API_SOCKET"])
    swapped = True
except OSError:
    swapped = False
answer(["Bearer" in visible or "token" in visible.lower(), swapped])
"""
    has_token, is_removable = answer_of(live, isolation, script)
    assert not has_token and is_removable is (isolation == "process")


def test_stalled_and_many_connections_do_not_hold_up_the_reports(live: LiveWorkstation, isolation: str) -> None:
    script = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
folder = os.open(os.path.dirname(os.environ["ARM_API_SOCKET"]), os.O_RDONLY)
held = []
def stall():
    # Eight of them get a thread and send a byte now and then; the others wait in the kernel.
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    try:
        s.connect(f"/proc/self/fd/{folder}/socket")
    except OSError:
        return
    held.append(s)
for _ in range(3000):
    stall()
started = time.monotonic()
step = 0
while time.monotonic() - started < 15:
    point(step)
    step += 1
    time.sleep(0.05)
    for s in list(held):
        try:
            s.send(b"G")
        except OSError:
            held.remove(s)
for s in held:
    s.close()
# Let go, the door opens again.
deadline = time.monotonic() + 60
while raw(b"GET /documents HTTP/1.1\\r\\n\\r\\n") != 200:
    assert time.monotonic() < deadline
    time.sleep(0.5)
answer(step)
"""
    run = live.start_run(live.project(HELPERS + script))
    live.until_point(run, 0)
    agent = psutil.Process(live.until(lambda: agent_of(run)))
    worst = longest_wait_for_a_point(live, run, 10, lambda: agent.num_fds() < 100 and agent.num_threads() < 40)
    run = ended(live, run, isolation)
    assert worst < 2, worst
    assert json.loads(live.messages(run)[-1].text) == len(live.points(run).series[0].iters)


def test_a_flood_of_calls_does_not_hold_up_the_reports(live: LiveWorkstation, isolation: str) -> None:
    script = """
redis = RedisAPI()
ends_at = time.monotonic() + 8
counts = []
def flood():
    n = 0
    while time.monotonic() < ends_at:
        redis.incr("n")
        n += 1
    counts.append(n)
threads = [threading.Thread(target=flood) for _ in range(16)]
for thread in threads:
    thread.start()
step = 0
while time.monotonic() < ends_at:
    point(step)
    step += 1
    time.sleep(0.02)
for thread in threads:
    thread.join()
assert redis.get("n") == sum(counts), (redis.get("n"), counts)
answer([step, sum(counts)])
"""
    run = live.start_run(live.project(HELPERS + script))
    live.until_point(run, 0)
    worst = longest_wait_for_a_point(live, run, 6, lambda: True)
    run = ended(live, run, isolation)
    steps, calls = json.loads(live.messages(run)[-1].text)
    assert len(live.points(run).series[0].iters) == steps and calls > 100
    assert worst < 3, worst


def test_calls_wait_for_an_api_that_restarts(live: LiveWorkstation, isolation: str) -> None:
    script = """
redis = RedisAPI()
redis.set("n", 0)
(RUN / "written").touch()
wait_for_file("go")
for _ in range(50):
    redis.incr("n")
answer(redis.get("n"))
"""
    run = live.start_run(live.project(HELPERS + script))
    live.until(lambda: (live.folder(run) / "written").exists())
    live.stop_api()
    (live.folder(run) / "go").touch()
    time.sleep(1)
    live.start_api()
    assert json.loads(live.messages(ended(live, run, isolation))[-1].text) == 50


def test_a_script_whose_agent_was_replaced_still_reaches_its_data(live: LiveWorkstation, isolation: str) -> None:
    script = """
redis = RedisAPI()
redis.incr("n")
(RUN / "written").touch()
wait_for_file("go")
answer([redis.incr("n"), StorageAPI().list()])
"""
    run = live.start_run(live.project(HELPERS + script))
    live.until(lambda: (live.folder(run) / "written").exists())
    agent = psutil.Process(live.until(lambda: agent_of(run)))
    agent.kill()
    agent.wait(20)
    (live.folder(run) / "go").touch()  # The call waits for the next agent.
    said = [message.text for message in live.messages(ended(live, run, isolation)) if message.reason is None]
    assert json.loads(said[-1]) == [2, []]
    assert not (live.folder(run) / "api" / "socket").exists()
