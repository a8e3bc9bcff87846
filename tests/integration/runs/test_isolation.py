"""What a hostile script tries inside bubblewrap: every attempt is made for real, and what must work still works."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.contracts.runs import Run
from backend.embedded.servers import Servers
from backend.runs.launchers.bubblewrap import bubblewrap_fault
from tests.integration.runs.live_workstation import LiveWorkstation, kill
from tests.integration.uploads import yolo_files, zip_of

SECRET = "the installation's secret"


@pytest.fixture(scope="module", autouse=True)
def _bubblewrap_works(tmp_path_factory: pytest.TempPathFactory) -> None:
    fault = bubblewrap_fault(tmp_path_factory.mktemp("etc"))
    if fault is not None:
        pytest.skip(f"bubblewrap does not work here: {fault}")


@pytest.fixture(scope="module")
def secret(live: LiveWorkstation) -> Path:
    path = live.home / "secrets" / "api-token"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SECRET)
    return path


def answers(live: LiveWorkstation, script: str, **fields: Any) -> Any:
    """What the script hands to `answer`, a JSON value, as its only message."""
    helper = "def answer(value):\n    message(json.dumps(value))\n"
    run = live.until_final(live.start_run(live.project(helper + script), **fields), patience_s=90)
    assert run.state == "finished" and run.isolation == "bubblewrap", (run.reason, run.stderr_tail)
    return json.loads(live.messages(run)[-1].text)


def test_secrets_other_runs_and_homes_can_not_be_read(live: LiveWorkstation, secret: Path) -> None:
    other = live.until_final(live.start_run(live.project("print('private', flush=True)")))
    targets = [secret, live.folder(other) / "stdout.log", live.home / "cache", Path("/etc/shadow"), Path.home()]
    targets += [Path("/root"), Path("/home"), Path("/var"), Path("/run"), Path(__file__).parents[3] / "backend"]
    assert all(path.exists() for path in targets[:4])
    script = f"""
seen = {{}}
for path in map(Path, {[str(path) for path in targets]!r}):
    try:
        seen[str(path)] = sorted(os.listdir(path)) if path.is_dir() else path.read_text()
    except OSError as error:
        seen[str(path)] = type(error).__name__
answer(seen)
"""
    seen = answers(live, script)
    # Of /root or a home there may be the path to the Python installation, and nothing else.
    way = {part for path in (os.sys.prefix, os.sys.base_prefix, str(live.home)) for part in Path(path).parts}
    for path, content in seen.items():
        assert content == "FileNotFoundError" or set(content) <= way, (path, content)


def test_the_only_run_that_is_seen_is_its_own(live: LiveWorkstation) -> None:
    assert len(answers(live, "answer(os.listdir(RUN.parent))")) == 1
    assert answers(live, "answer(sorted(os.listdir(RUN.parent.parent)))") == ["runs"]


def test_no_service_of_this_machine_can_be_reached(live: LiveWorkstation) -> None:
    with socket.create_connection(("127.0.0.1", live.port), 5):
        pass
    script = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {live.port}), 5)
    answer("connected")
except OSError as error:
    answer(type(error).__name__)
"""
    assert answers(live, script) == "ConnectionRefusedError"


def test_loopback_and_its_own_name_work_inside(live: LiveWorkstation) -> None:
    script = """
import getpass, socket, threading
server = socket.create_server((socket.gethostname(), 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"), daemon=True).start()
answer([socket.create_connection(server.getsockname()).recv(5).decode(), getpass.getuser()])
"""
    assert answers(live, script) == ["hello", "arm"]


def test_processes_of_this_machine_are_out_of_sight(live: LiveWorkstation) -> None:
    script = f"""
try:
    os.kill({os.getpid()}, 0)
    killed = True
except ProcessLookupError:
    killed = False
answer([len([name for name in os.listdir("/proc") if name.isdigit()]), killed])
"""
    # bubblewrap's own, and the script. Should our number exist inside by chance, it is one of these two.
    assert answers(live, script) == [2, False]


def test_nothing_outside_of_the_run_folder_can_be_written(live: LiveWorkstation) -> None:
    script = """
import sys
targets = ["/x", "/usr/x", "/etc/passwd", "/etc/x", sys.prefix + "/x"]
targets += ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger"]
targets += [sys.base_prefix + "/x", str(RUN / "run.json"), str(RUN / "code" / "train.py")]
targets += [str(RUN / "code" / "x.py"), str(RUN / "inputs" / "x"), str(RUN / "stdout.log")]
written = []
for path in targets:
    try:
        open(path, "a").close()  # Nothing is written: a setting of the kernel is this machine's.
        written.append(path)
    except OSError:
        pass
for private in (Path("/tmp/mine"), RUN.parent / "mine"):
    try:
        private.write_text("x")
    except OSError:
        pass
(RUN / "mine").write_text("x")
answer(written)
"""
    assert answers(live, script) == []
    assert not Path("/tmp/mine").exists() and not (live.home / "runs" / "mine").exists()


def test_what_the_agent_reads_can_not_become_a_link(live: LiveWorkstation, secret: Path) -> None:
    script = f"""
print("honest", flush=True)
failed = []
for name in ("stdout.log", "stderr.log", "events", "artifacts"):
    for attempt in (lambda: os.rename(RUN / name, RUN / "moved"), lambda: os.unlink(RUN / name)):
        try:
            attempt()
            os.symlink({str(secret)!r}, RUN / name)
        except OSError:
            failed.append(name)
answer(len(failed))
"""
    run = live.until_final(
        live.start_run(live.project(script.replace("answer(len(failed))", "message(str(len(failed)))")))
    )
    assert [m.text for m in live.messages(run)] == ["8"]
    assert live.client.get(f"/runs/{run.id}/logs/stdout").text == "honest\n"


def test_the_shared_cache_can_not_be_changed_through_links(live: LiveWorkstation) -> None:
    dataset_id = live.ok("POST", "/datasets/import?name=Welds", content=zip_of(yolo_files()))["id"]
    script = """
import PlatformAPI
made = PlatformAPI.generate_dataset(PlatformAPI.get_available_datasets()[0])
images = [Path(path) for path in made.get_all_images_path()]
changed = []
for path in [*images, *(RUN / "inputs" / "objects").iterdir()]:
    for attempt in (lambda: path.chmod(0o666), lambda: path.open("r+b").write(b"evil")):
        try:
            attempt()
            changed.append(str(path))
        except OSError:
            pass
answer([len(images), all(path.stat().st_size > 100 for path in images), changed])
"""
    count, are_readable, changed = answers(live, script, dataset_id=dataset_id)
    assert count > 0 and are_readable and changed == []
    files = [path for path in (live.home / "cache" / "objects").rglob("*") if path.is_file()]
    assert files and not any(path.stat().st_mode & 0o222 for path in files)


def test_data_loader_workers_and_forks_run_inside(live: LiveWorkstation) -> None:
    script = """
import torch
from torch import distributed, multiprocessing
from torch.utils.data import DataLoader, TensorDataset

def rank_main(rank, port, sums):
    distributed.init_process_group("gloo", init_method=f"tcp://localhost:{port}", rank=rank, world_size=2)
    value = torch.tensor([float(rank + 1)])
    distributed.all_reduce(value)
    sums.put(value.item())
    distributed.destroy_process_group()

if __name__ == "__main__":
    images = TensorDataset(torch.ones(256, 3, 64, 64))
    total = sum(batch.sum().item() for (batch,) in DataLoader(images, 32, num_workers=2))
    fork = multiprocessing.get_context("fork")
    sums = fork.SimpleQueue()
    import socket
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    ranks = [fork.Process(target=rank_main, args=(rank, port, sums)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    message(json.dumps([total, sums.get(), sums.get()]))
"""
    run = live.until_final(live.start_run(live.project(script)), patience_s=180)
    assert run.state == "finished", (run.reason, run.stderr_tail)
    assert run.isolation == "bubblewrap"
    assert json.loads(live.messages(run)[-1].text) == [256 * 3 * 64 * 64, 3.0, 3.0]


WAITS = "(RUN / 'written').touch()\ntime.sleep(600)"


def until_written(live: LiveWorkstation, run: Run) -> None:
    live.until(lambda: (live.folder(run) / "written").exists())


def test_stop_reaches_the_handler_of_the_script(live: LiveWorkstation) -> None:
    goodbye = "signal.signal(signal.SIGTERM, lambda *_: (message('saved'), sys.exit(7)))\n"
    run = live.start_run(live.project(goodbye + WAITS))
    until_written(live, run)
    live.ok("POST", f"/runs/{run.id}/stop")
    ended = live.until_final(run)
    assert (ended.state, ended.exit_code, ended.isolation) == ("stopped", 7, "bubblewrap")
    assert [m.text for m in live.messages(run)] == ["saved"]


def test_a_script_without_a_handler_is_ended_by_sigterm(live: LiveWorkstation) -> None:
    run = live.start_run(live.project(WAITS))
    until_written(live, run)
    live.ok("POST", f"/runs/{run.id}/stop")
    assert live.until_final(run).exit_code == -signal.SIGTERM


def test_a_crash_inside_is_told_by_its_signal(live: LiveWorkstation) -> None:
    run = live.until_final(live.start_run(live.project("import ctypes\nctypes.string_at(0)")))
    assert run.reason and (run.reason.code, run.reason.params) == ("script_killed", {"signal": "SIGSEGV"})


def test_kill_9_of_the_script_or_of_bubblewrap_is_told_within_10_s(live: LiveWorkstation) -> None:
    for find in (live.script_pid, lambda run: live.agent(run).children()[0].children()[0].pid):
        run = live.start_run(live.project(WAITS))
        until_written(live, run)
        killed_at = time.monotonic()
        kill(find(run))
        ended = live.until_final(run)
        assert time.monotonic() - killed_at < 10
        assert ended.reason and (ended.state, ended.reason.params) == ("failed", {"signal": "SIGKILL"})
        assert live.pids(run) == []


def test_kill_9_of_the_shim_leaves_nothing(live: LiveWorkstation) -> None:
    daemon = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    run = live.start_run(live.project(daemon + WAITS))
    until_written(live, run)
    shim = live.agent(run).children()[0]
    inside = shim.children(recursive=True)
    assert len(inside) == 4  # bubblewrap outside and inside, the script, its daemon
    shim.kill()
    ended = live.until_final(run)
    live.until(lambda: not any(is_alive(process) for process in inside), 10)
    assert ended.reason and (ended.state, ended.reason.code) == ("lost", "supervisor_died")


def is_alive(process: psutil.Process) -> bool:
    """A zombie is gone: its worker collects it when it next looks around."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_network_is_refused_unless_the_administrator_allows_it(live: LiveWorkstation) -> None:
    project_id = live.project("pass")
    live.ok("PATCH", f"/projects/{project_id}", json={"network": True})
    reply = live.client.post("/runs", json={"project_id": project_id, "kind": "train"})
    assert (reply.status_code, reply.json()["code"]) == (422, "network_not_allowed")
    assert not live.until_final(live.start_run(project_id, network=False)).network


def greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"hello")


@pytest.fixture
def open_live(servers: Servers, tmp_path: Path) -> Iterator[LiveWorkstation]:
    with LiveWorkstation(servers, tmp_path, f"open_{os.getpid()}", ARM_ALLOW_NETWORK="true") as workstation:
        yield workstation


def test_an_allowed_network_is_open_and_only_for_those_who_ask(open_live: LiveWorkstation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        script = f"""
import socket
try:
    answer(socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), 5).recv(5).decode())
except OSError as error:
    answer(type(error).__name__)
"""
        assert answers(open_live, script) == "ConnectionRefusedError"
        assert answers(open_live, script, network=True) == "hello"
