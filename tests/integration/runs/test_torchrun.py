"""Several processes of one run under torchrun: they find each other, are told apart, and end together."""

import signal

from backend.contracts.runs import Run
from tests.integration.runs.live_workstation import LiveWorkstation, kill

GLOO = """
import PlatformAPI
import torch
import torch.distributed as dist
dist.init_process_group("gloo")
rank = dist.get_rank()
total = torch.tensor([float(rank + 1)])
dist.all_reduce(total)
PlatformAPI.save_progress_for_platform(50 if rank == 0 else 99)
PlatformAPI.get_logger().info(f"sum {total.item():g} of {dist.get_world_size()}")
PlatformAPI.get_train_graph_logger().log_point("loss", float(rank), 0, 0)
print("hello from", rank, flush=True)
dist.destroy_process_group()
"""
FAMILY = """
import subprocess
(RUN / f"up-{os.environ['RANK']}").touch()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


def until_up(live: LiveWorkstation, run: Run) -> None:
    live.until(lambda: all((live.folder(run) / f"up-{rank}").exists() for rank in range(2)), 60)


def test_ranks_find_each_other_and_are_told_apart(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project(GLOO), processes=2), patience_s=90)
    assert (run.state, run.processes, run.progress) == ("finished", 2, 50)
    texts = sorted(m.text for m in live.messages(run) if m.reason is None)
    assert texts == ["[rank 1] sum 3 of 2", "sum 3 of 2"]
    assert {s.name: s.values for s in live.points(run).series} == {"loss": (0.0,), "loss [rank 1]": (1.0,)}
    lines = live.client.get(f"/runs/{run.id}/logs/stdout").text.splitlines()
    assert sorted(lines) == ["[rank 0] hello from 0", "[rank 1] hello from 1"]


def test_stop_leaves_no_rank_and_nothing_that_a_rank_started(live: LiveWorkstation) -> None:
    run = live.start_run(live.project(FAMILY), processes=2)
    until_up(live, run)
    assert len(live.pids(run)) >= 5  # torchrun, two ranks, two daemons of theirs
    live.ok("POST", f"/runs/{run.id}/stop")
    assert live.until_final(run, patience_s=60).state == "stopped"
    assert live.pids(run) == []


def test_a_killed_rank_fails_the_run_and_the_others_end(live: LiveWorkstation) -> None:
    run = live.start_run(live.project("(RUN / f\"up-{os.environ['RANK']}\").touch()\ntime.sleep(600)"), processes=2)
    until_up(live, run)
    kill(live.pids(run)[-1])
    ended = live.until_final(run, patience_s=60)
    assert (ended.state, ended.exit_code) == ("failed", 1)
    assert signal.SIGKILL.name in ended.stderr_tail or "exitcode  : -9" in ended.stderr_tail
    assert live.pids(run) == []
