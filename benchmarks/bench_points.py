"""A million points of one series at the API: the first plot, a live refresh, a zoom, memory; and a list of 1 000 runs.

Beside it, in the same minute on the same machine, TensorBoard's EventAccumulator reads 100 000 points.
"""

import atexit
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from backend.contracts.workers import Device
from backend.settings import Settings
from benchmarks.own_workstation import ApiProcess, own_servers
from tests.integration.uploads import zip_of

POINTS = 1_000_000
BATCH = 5_000
PEER_POINTS = 100_000
PARAMS = (Path(__file__).parents[1] / "solutions" / "quick_detector" / "params.yaml").read_bytes()


def main() -> None:
    """Print what issue B asks for."""
    with own_servers() as settings:
        measure(settings)


def measure(settings: Settings) -> None:
    api = ApiProcess(settings)
    atexit.register(lambda: api.stop())  # whichever of them runs then
    client = httpx.Client(
        base_url=api.url, headers={"Authorization": f"Bearer {settings.api_token}"}, timeout=120, trust_env=False
    )
    project = client.post("/projects", json={"name": "P"}).json()["id"]
    client.put(f"/projects/{project}/code", content=zip_of({"train.py": b"pass", "params.yaml": PARAMS}))
    run = client.post("/runs", json={"project_id": project, "kind": "train"}).json()["id"]
    device = Device(name="cpu", title="CPU", worker="w").model_dump()
    claim = client.post("/workers/claim", json={"worker": "w", "devices": [device], "wait_s": 0}).json()
    agent = {"Authorization": f"Bearer {claim['token']}"}

    started, offset = time.perf_counter(), 0
    for first in range(0, POINTS, BATCH):
        offset = send(client, agent, run, first, BATCH, offset)
    print(f"intake, {POINTS} points: {POINTS / (time.perf_counter() - started):.0f} points/s; {api.memory_mb:.0f} MB")

    api.stop()
    api = ApiProcess(settings)
    client.get("/runs")
    before = api.memory_mb
    first_ms, overview = timed(lambda: client.get(f"/runs/{run}/points?max_points=1000").json())
    shown = len(overview["series"][0]["values"])
    print(f"first plot after a restart, {overview['version']} points -> {shown}: {first_ms:.0f} ms (wanted: 200)")

    after_first = api.memory_mb
    for _ in range(20):
        client.get(f"/runs/{run}/points?max_points=1000").raise_for_status()
    print(
        f"memory of the API: {before:.0f} MB, {after_first:.0f} after the first plot, {api.memory_mb:.0f} after 20 more"
    )

    refreshes = []
    for number in range(20):
        offset = send(client, agent, run, POINTS + 70 * number, 70, offset)
        refreshes.append(timed(lambda: client.get(f"/runs/{run}/points?max_points=1000&version=0").content)[0])
    print(
        f"live refresh with 70 new points: median {statistics.median(refreshes):.0f} ms, worst {max(refreshes):.0f} ms"
    )
    version = client.get(f"/runs/{run}/points?max_points=1000").json()["version"]
    nothing = [timed(lambda: client.get(f"/runs/{run}/points?version={version}").content)[0] for _ in range(20)]
    print(f"live refresh with nothing new: median {statistics.median(nothing):.1f} ms")
    zooms = []
    for low in range(100_000, 900_000, 80_000):
        url = f"/runs/{run}/points?max_points=2000&from_step={low}&to_step={low + 1999}"
        spent, part = timed(lambda url=url: client.get(url).json()["series"][0])
        assert part["is_exact"] and len(part["values"]) == 2000
        zooms.append(spent)
    print(f"zoom to 2 000 exact points: median {statistics.median(zooms):.0f} ms")
    wide = f"/runs/{run}/points?max_points=2000&from_step=10&to_step={POINTS - 10}"
    print(f"zoom to nearly everything: {timed(lambda: client.get(wide).content)[0]:.0f} ms")
    print(f"memory of the API: {api.memory_mb:.0f} MB after all of that")
    show_lists(api, client, project)
    against_tensorboard(settings.home_dir)


def send(client: httpx.Client, agent: dict[str, str], run: str, first: int, count: int, offset: int) -> int:
    content = b"".join(
        json.dumps({"k": "point", "t": i / 100, "s": i, "name": "loss", "v": (i * 7919 % 1000) / 1000, "e": 0, "i": i})
        .encode() + b"\n"
        for i in range(first, first + count)
    )  # fmt: skip
    reply = client.post(f"/agent/runs/{run}/events?file=1-0.jsonl&offset={offset}", content=content, headers=agent)
    return int(reply.raise_for_status().json()["accepted"])


def show_lists(api: ApiProcess, client: httpx.Client, project: str) -> None:
    """1 000 runs that have ended, with parameters and messages, in one answer and in pages."""
    for _ in range(999):
        run = client.post("/runs", json={"project_id": project, "kind": "train"}).json()["id"]
        end_run(client, run)
    for name, work in (
        ("one answer", lambda: client.get("/runs?limit=1000").raise_for_status().content),
        ("5 pages of 200", lambda: list_all(client)),
    ):
        spent = [timed(work)[0] for _ in range(3)][-1:]  # warm, as for anybody who looks a second time
        cpu_s = api.cpu_s
        spent += [timed(work)[0] for _ in range(20)]
        cpu_ms = (api.cpu_s - cpu_s) / 20 * 1000
        print(
            f"list of 1 000 runs, {name}: median {statistics.median(spent):.0f} ms, best {min(spent):.0f} ms, "
            f"CPU of the API {cpu_ms:.0f} ms (peers.md: trackio 20 ms, TensorBoard 93 ms; wanted: 20)"
        )


def end_run(client: httpx.Client, run: str) -> None:
    """Claim it, say a word, end it."""
    device = Device(name="cpu", title="CPU", worker="w", slots=2).model_dump()
    claim = client.post("/workers/claim", json={"worker": "w", "devices": [device], "wait_s": 0}).json()
    assert claim["run_id"] == run
    headers, path = {"Authorization": f"Bearer {claim['token']}"}, f"/agent/runs/{run}"
    line = json.dumps({"k": "message", "t": 1.0, "s": 0, "level": "info", "text": "epoch 1"}) + "\n"
    client.post(f"{path}/started", json={"pid": 1, "isolation": "process"}, headers=headers).raise_for_status()
    client.post(f"{path}/events?file=1-0.jsonl&offset=0", content=line, headers=headers).raise_for_status()
    ended = {"state": "finished", "reason": {"code": "finished"}, "exit_code": 0}
    client.post(f"{path}/finished", json=ended, headers=headers).raise_for_status()


def list_all(client: httpx.Client) -> None:
    """Page after page, as a client that may not ask for all at once."""
    before = ""
    while page := client.get(f"/runs?limit=200{before}").raise_for_status().json():
        before = f"&before={page[-1]['id']}"


def timed(work: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1000, result


def against_tensorboard(home: Path) -> None:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        print("TensorBoard is not installed: no comparison")
        return
    writer = EventFileWriter(str(home / "tb"))
    for i in range(PEER_POINTS):
        value = Summary.Value(tag="loss", simple_value=i % 1000 / 1000)
        writer.add_event(Event(step=i, wall_time=i, summary=Summary(value=[value])))
    writer.close()
    spent, _ = timed(lambda: EventAccumulator(str(home / "tb"), size_guidance={"scalars": 1000}).Reload())
    print(f"TensorBoard's EventAccumulator, {PEER_POINTS} points -> 1000: {spent:.0f} ms (peers.md: 3 200 ms)")


if __name__ == "__main__":
    main()
