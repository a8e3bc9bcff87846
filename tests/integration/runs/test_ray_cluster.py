"""Runs on a real Ray cluster of one node: the same run document, and whatever dies there is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend.contracts.runs import FINAL_STATES, Run
from tests.integration.runs.live_workstation import LiveWorkstation, kill
from tests.integration.runs.ray_head import RAY, TOKEN, RayHead

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not RAY.exists(), reason="ray is not installed: make install")]
# Longer than it takes to tell without the lease what became of a job, shorter than Ray may take on a busy machine.
LIVE_VARIABLES = {"ARM_LEASE_S": "15"}

STEADY = """
for i in range(500):
    point(i)
message(f"card {os.environ['CUDA_VISIBLE_DEVICES']!r}")
wait_for_file("go")
for i in range(500, 1000):
    point(i)
print("the end", flush=True)
"""


class Cluster:
    """A workstation whose only way to compute runs with the label `ray` is a cluster worker."""

    def __init__(self, live: LiveWorkstation, ray: RayHead, node_home: Path) -> None:
        self.live = live
        self.ray = ray
        self.node_home = node_home

    def start_worker(self) -> "subprocess.Popen[bytes]":
        return self.live.start_worker(
            module="backend.runs.cluster.cluster_worker",
            ARM_RAY_URL=self.ray.url,
            ARM_RAY_TOKEN=TOKEN,
            ARM_CLUSTER_CPU_SLOTS="3",
            ARM_CLUSTER_PYTHON=sys.executable,
            ARM_CLUSTER_HOME=str(self.node_home),
        )

    def kill_worker(self) -> None:
        worker = self.live.workers.pop()
        kill(worker.pid)
        worker.wait()

    def start_run(self, script: str = STEADY, device: str = "cpu") -> Run:
        return self.live.start_run(self.live.project(script), labels=["ray"], device=device)

    def start_half(self, device: str = "cpu") -> Run:
        run = self.start_run(device=device)
        self.live.until_point(run, 499, patience_s=60)
        return run

    def go_on(self, run: Run) -> None:
        (self.node_home / "runs" / run.id / "go").touch()

    def processes(self, run: Run, module: str) -> list[psutil.Process]:
        """Processes of our own modules that belong to a run: by the lock that they hold."""
        lock = {"node_entry": "worker.lock", "agent": "agent.lock"}[module]
        return [process for process in psutil.process_iter() if _has_open(process, f"{run.id}/{lock}")]

    def scripts(self, run: Run) -> list[int]:
        mark = f"ARM_RUN_DIR={self.node_home / 'runs' / run.id}".encode()
        return [process.pid for process in psutil.process_iter() if _is_marked(process.pid, mark)]

    def jobs_of(self, run: Run) -> list[str]:
        return [job["submission_id"] for job in self.ray.jobs() if run.id in (job["submission_id"] or "")]

    def until_nothing_is_left(self, run: Run) -> None:
        self.live.until(lambda: not (self.processes(run, "node_entry") or self.processes(run, "agent")))
        self.live.until(lambda: not self.scripts(run))

    def assert_complete(self, run: Run, count: int = 1000) -> None:
        (series,) = self.live.points(run).series
        assert series.iters == tuple(range(count))


@pytest.fixture(scope="module")
def ray() -> Iterator[RayHead]:
    with RayHead(cpus=2, gpus=1) as head:
        yield head


@pytest.fixture(scope="module")
def cluster(ray: RayHead, live: LiveWorkstation, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    found = Cluster(live, ray, tmp_path_factory.mktemp("node"))
    found.start_worker()
    live.until(lambda: [worker for worker in live.ok("GET", "/workers") if worker["name"] == "ray"])
    return found


def test_a_run_on_the_cluster_arrives_whole_and_leaves_nothing_there(cluster: Cluster) -> None:
    live = cluster.live
    sees = """
import PlatformAPI
print(PlatformAPI.__file__)
print([name for name in os.environ if "CLUSTER" in name or "RAY" in name])
(RUN / "artifacts" / "a.bin").write_bytes(b"a" * 5000)
import hashlib
event("artifact", path="a.bin", kind="file", size=5000, sha256=hashlib.sha256(b"a" * 5000).hexdigest())
"""
    run = cluster.start_run(STEADY + sees)
    live.until_point(run, 499, patience_s=60)
    assert live.run(run).worker == "ray"
    cluster.go_on(run)
    ended = live.until_final(run)
    assert ended.state == "finished" and ended.isolation, ended.reason
    cluster.assert_complete(run)
    end, platform_api, variables = live.client.get(f"/runs/{run.id}/logs/stdout").text.splitlines()
    assert (end, variables) == ("the end", "[]")
    assert "/_ray_pkg_" in platform_api  # The version of the backend, not what the node has installed.
    sizes = {artifact["path"]: artifact["size_bytes"] for artifact in live.ok("GET", f"/runs/{run.id}/artifacts")}
    assert sizes["a.bin"] == 5000
    cluster.until_nothing_is_left(run)
    live.until(lambda: not cluster.jobs_of(run))
    assert not (cluster.node_home / "runs" / run.id).exists()
    assert not (cluster.node_home / "supervision" / run.id).exists()


def test_a_killed_agent_is_replaced_on_its_node_and_the_script_keeps_its_card(cluster: Cluster) -> None:
    live = cluster.live
    offered = {device["name"]: device["slots"] for device in live.ok("GET", "/devices") if device["worker"] == "ray"}
    assert offered == {"cpu": 3, "cuda:0": 1}
    run = cluster.start_half(device="cuda:0")
    (agent,) = cluster.processes(run, "agent")
    agent.kill()
    live.until(lambda: [found for found in cluster.processes(run, "agent") if found.pid != agent.pid])
    cluster.go_on(run)
    ended = live.until_final(run)
    assert ended.state == "finished", ended.reason
    cluster.assert_complete(run)
    messages = live.messages(run)
    assert {message.reason.code for message in messages if message.reason} == {"agent_replaced"}
    assert [message.text for message in messages if not message.reason] == ["card '0'"]


def test_stop_reaches_a_script_on_its_node(cluster: Cluster) -> None:
    run = cluster.start_half()
    cluster.live.ok("POST", f"/runs/{run.id}/stop")
    ended = cluster.live.until_final(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("stopped", "stopped_by_user")
    cluster.assert_complete(run, 500)
    cluster.until_nothing_is_left(run)


def test_a_job_that_waits_in_ray_can_be_stopped_and_one_that_ray_ends_delivers_everything(cluster: Cluster) -> None:
    live = cluster.live
    killed, stopped = cluster.start_half(), cluster.start_half()
    waiting = cluster.start_run()  # For a third slot of ours Ray has no CPU.
    live.until(lambda: cluster.jobs_of(waiting))
    renewed_at = live.run(waiting).heartbeat_at
    live.until(lambda: live.run(waiting).heartbeat_at != renewed_at)
    assert live.run(waiting).state == "starting"
    live.ok("POST", f"/runs/{waiting.id}/stop")
    ended = live.until_final(waiting)
    assert ended.reason and (ended.state, ended.reason.code) == ("stopped", "stopped_by_user")
    (entry,) = cluster.processes(killed, "node_entry")
    entry.kill()
    (job_id,) = cluster.jobs_of(stopped)
    cluster.ray.client.post(f"/api/jobs/{job_id}/stop").raise_for_status()
    for run in (killed, stopped):
        ended = live.until_final(run)
        assert ended.reason and (ended.state, ended.reason.code) == ("failed", "cluster_job_ended")
        cluster.assert_complete(run, 500)
        cluster.until_nothing_is_left(run)
    assert not cluster.scripts(waiting)


def test_a_job_whose_every_process_of_ours_was_killed_is_told_before_the_lease_ends(cluster: Cluster) -> None:
    run = cluster.start_half()
    for process in (*cluster.processes(run, "node_entry"), *cluster.processes(run, "agent")):
        os.kill(process.pid, signal.SIGKILL)
    ended = cluster.live.until_final(run)
    assert ended.reason and (ended.state, ended.reason.code) == ("lost", "cluster_job_gone")
    cluster.until_nothing_is_left(run)


def test_a_new_worker_takes_jobs_up_again_and_submits_none_twice(cluster: Cluster) -> None:
    live = cluster.live
    running, new = cluster.start_half(), cluster.start_run()
    live.until(lambda: live.run(new).state != "queued")
    cluster.kill_worker()  # Before, while or after it submits.
    cluster.go_on(running)
    assert live.until_final(running).state == "finished"
    cluster.start_worker()
    live.until_point(new, 499, patience_s=60)
    cluster.kill_worker()
    cluster.start_worker()
    cluster.go_on(new)
    assert live.until_final(new).state == "finished"
    for run in (running, new):
        cluster.assert_complete(run)
        assert len(cluster.jobs_of(run)) <= 1
        assert live.run(run).claim_count == 1


def test_no_run_is_left_without_an_end(cluster: Cluster) -> None:
    runs = [Run.model_validate(found) for found in cluster.live.ok("GET", "/runs?limit=200")]
    assert runs and {run.state for run in runs} <= FINAL_STATES


def _has_open(process: psutil.Process, suffix: str) -> bool:
    try:
        return any(file.path.endswith(suffix) for file in process.open_files())
    except psutil.Error:
        return False


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
