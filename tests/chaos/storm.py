"""Runs scripts and breaks things at random, restarts what should restart, and then checks the books."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from backend.contracts.runs import FINAL_STATES, Run
from backend.embedded.ports import free_port
from backend.embedded.servers import start_servers
from backend.runs.supervision_folder import is_locked, read_note, read_record
from tests.chaos.books import Totals, check
from tests.chaos.cut_proxy import CutProxy
from tests.integration.runs.live_workstation import ROOT, LiveWorkstation

RUNS_AT_ONCE = 3
POINTS_PER_S = 60
WEIGHTS = {
    **{"agent": 4, "worker": 3, "api": 2, "mongod": 2, "redis": 1, "script": 2, "shim": 1, "network": 3, "disk": 1},
    "ui": 1,
}
FINAL_WITHIN_S = 60


@dataclass
class Report:
    """What happened and what was found. `gaps_s` are seconds from the end of a script to the end of its run."""

    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    totals: Totals = field(default_factory=Totals)
    gaps_s: list[float] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0


class Storm:
    """One installation on real servers, with a proxy in front of its API."""

    def __init__(self, seed: int, home: Path, with_ui: bool, say: Callable[[str], None]) -> None:
        self._dice = random.Random(seed)
        self._home = home
        self._say = say
        self._with_ui = with_ui
        self._ui: subprocess.Popen[bytes] | None = None
        self.report = Report()
        self._runs: dict[str, Run] = {}
        self._fatal: dict[str, set[str]] = {}
        self._gone_at: dict[str, float] = {}
        self._final: dict[str, Run] = {}
        self._stopping = threading.Event()

    def run(self, fault_count: int) -> Report:
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            self._set_up(stack)
            watcher = threading.Thread(target=self._watch_ends, daemon=True)
            watcher.start()
            kinds = [kind for kind in WEIGHTS if hasattr(self, f"_break_{kind}") and kind not in self._absent()]
            while self.report.faults.total() < fault_count:
                self._keep_busy()
                time.sleep(self._dice.uniform(0.1, 1.0))
                kind = self._dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
                if getattr(self, f"_break_{kind}")():
                    self.report.faults[kind] += 1
                    self._say(f"{self.report.faults.total()}: {kind}")
            self._wait_for_all()
            self._stopping.set()
            watcher.join(10)
            self._check()
        self.report.seconds = time.monotonic() - started
        return self.report

    def _absent(self) -> set[str]:
        absent = set() if self._with_ui else {"ui"}
        return absent if self._has_small_disk else absent | {"disk"}

    def _set_up(self, stack: contextlib.ExitStack) -> None:
        self._servers = start_servers(self._home / "stores")
        stack.callback(self._servers.stop)
        self._has_small_disk = stack.enter_context(_small_disk(self._home / "arm" / "runs", 256, self.report.skipped))
        live = LiveWorkstation(
            self._servers, self._home / "arm", "chaos", ARM_CPU_SLOTS=str(RUNS_AT_ONCE), ARM_LEASE_S="20"
        )
        self._proxy = CutProxy(live.port)
        stack.callback(self._proxy.close)
        self._live = live
        stack.callback(live.__exit__)
        live.start_api()
        self._start_worker()
        if self._with_ui:
            self._start_ui()
            stack.callback(self._stop_ui)
        script = Path(__file__).with_name("busy_script.py").read_bytes()
        self._project = live.project("pass")
        live.ok("PUT", f"/projects/{self._project}/code/train.py", content=script)

    def _start_worker(self) -> None:
        self._live.start_worker(ARM_API_URL=f"http://127.0.0.1:{self._proxy.port}/api")

    def _start_ui(self) -> None:
        self._ui_port = free_port()
        with (self._home / "ui.log").open("ab") as log:
            self._ui = subprocess.Popen(
                [sys.executable, "-m", "app.server", "--port", str(self._ui_port)],
                env=os.environ | {"ARM_API_URL": self._live.url, "ARM_HOME": str(self._home / "arm")},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def _stop_ui(self) -> None:
        if self._ui is not None:
            self._ui.kill()
            self._ui.wait()

    def _keep_busy(self) -> None:
        while len(self._runs) - len(self._final) < RUNS_AT_ONCE:
            seconds = self._dice.uniform(4, 25)
            run = self._live.start_run(self._project, arguments=f"{seconds:.1f} {POINTS_PER_S}")
            self._runs[run.id] = run
            self._fatal[run.id] = set()

    # --- faults: each answers whether it happened -------------------------------------------------------------------

    def _break_agent(self) -> bool:
        return self._kill_of_some_run(lambda folder: read_note(folder / "agent.lock").get("pid"), "agent.lock")

    def _break_script(self) -> bool:
        return self._kill_of_some_run(lambda folder: _script(folder, "script_pid"), "script.json", "script_killed")

    def _break_shim(self) -> bool:
        return self._kill_of_some_run(lambda folder: _script(folder, "shim_pid"), "script.json", "supervisor_died")

    def _kill_of_some_run(self, pid_of: Callable[[Path], object], lock: str, fatal: str = "") -> bool:
        folders = sorted(f for f in (self._home / "arm" / "supervision").glob("*") if is_locked(f / lock))
        if not folders:
            return False
        folder = self._dice.choice(folders)
        pid = pid_of(folder)
        if not isinstance(pid, int) or pid <= 0 or not is_locked(folder / lock):
            return False
        if fatal:
            self._fatal[folder.name].add(fatal)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def _break_worker(self) -> bool:
        worker = self._live.workers.pop()
        worker.kill()
        worker.wait()
        time.sleep(self._dice.uniform(0, 2))
        self._start_worker()
        return True

    def _break_api(self) -> bool:
        self._live.stop_api()
        time.sleep(self._dice.uniform(0, 2))
        self._live.start_api()
        return True

    def _break_mongod(self) -> bool:
        return self._kill_server(0)

    def _break_redis(self) -> bool:
        return self._kill_server(1)

    def _kill_server(self, position: int) -> bool:
        server = self._servers.started[position]
        os.kill(server._process.pid, signal.SIGKILL)
        time.sleep(self._dice.uniform(0, 3))
        self._live.until(lambda: server.exit_code() is not None)
        server.start()
        self._live.until(self._live._answers, 40)
        return True

    def _break_network(self) -> bool:
        self._proxy.cut()
        time.sleep(self._dice.uniform(0.1, 4))
        self._proxy.mend()
        return True

    def _break_disk(self) -> bool:
        filler = self._home / "arm" / "runs" / "filler"
        for run_id in self._runs.keys() - self._final.keys():
            self._fatal[run_id].add("start_failed")  # A run folder can not be prepared on a full disk, which is said.
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * (1 << 20)):
                pass
        time.sleep(self._dice.uniform(0.5, 3))
        filler.unlink()
        time.sleep(0.5)
        return True

    def _break_ui(self) -> bool:
        self._stop_ui()
        self._start_ui()
        return True

    # --- the end ----------------------------------------------------------------------------------------------------

    def _watch_ends(self) -> None:
        """Notes when scripts are gone and when their runs are final."""
        client = httpx.Client(
            base_url=self._live.url, headers=dict(self._live.client.headers), timeout=5, trust_env=False
        )
        with client:
            while not self._stopping.wait(0.5):
                for run_id in [run_id for run_id in self._runs if run_id not in self._final]:
                    self._look_at(client, run_id)

    def _look_at(self, client: httpx.Client, run_id: str) -> None:
        folder = self._home / "arm" / "supervision" / run_id
        record = read_record(folder / "script.json")
        has_script = record is not None and record.state != "starting"
        if has_script and not is_locked(folder / "script.json"):
            self._gone_at.setdefault(run_id, time.monotonic())
        try:
            reply = client.get(f"/runs/{run_id}")
        except httpx.TransportError:
            return
        if reply.status_code == 200 and (run := Run.model_validate(reply.json())).state in FINAL_STATES:
            if run_id in self._gone_at:
                self.report.gaps_s.append(time.monotonic() - self._gone_at[run_id])
            self._final[run_id] = run

    def _wait_for_all(self) -> None:
        deadline = time.monotonic() + FINAL_WITHIN_S + 60
        while len(self._final) < len(self._runs) and time.monotonic() < deadline:
            time.sleep(0.2)
        # Lost runs may still be delivering what they left.
        folder = self._home / "arm" / "supervision"
        while list(folder.glob("*")) and time.monotonic() < deadline:
            time.sleep(0.2)

    def _check(self) -> None:
        faults = self.report.totals.faults
        for run_id, run in self._runs.items():
            ended = self._live.run(run)
            self.report.states[f"{ended.state}: {ended.reason.code if ended.reason else '-'}"] += 1
            if ended.state not in FINAL_STATES:
                faults.append(f"run {ended.number} is still {ended.state}")
            elif ended.state != "finished" and (not ended.reason or ended.reason.code not in self._fatal[run_id]):
                faults.append(f"run {ended.number} is {ended.state} ({ended.reason}), which nothing explains")
            check(self._live, ended, self.report.totals)
        if late := [round(gap) for gap in self.report.gaps_s if gap > FINAL_WITHIN_S]:
            faults.append(f"runs became final only {late} s after their scripts were gone")
        if left := list((self._home / "arm" / "supervision").glob("*")):
            faults.append(f"{len(left)} runs are still being looked after: {[path.name for path in left]}")
        faults += [f"an orphan: {process}" for process in _marked(self._home)]


def _script(folder: Path, name: str) -> object:
    record = read_record(folder / "script.json")
    return None if record is None else getattr(record, name)


def _marked(home: Path) -> list[str]:
    """Processes of any run of this installation, shims and agents included."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            has_mark = f"ARM_RUN_DIR={home}".encode() in Path(f"/proc/{process.pid}/environ").read_bytes()
            if has_mark or any(file.path.startswith(f"{home}/arm/supervision") for file in process.open_files()):
                found.append(f"{process.pid} {process.cmdline()}")
    return found


@contextlib.contextmanager
def _small_disk(place: Path, size_mb: int, skipped: list[str]) -> Iterator[bool]:
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        skipped.append("disk: mounting a small tmpfs needs root")
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def run_storm(seed: int, faults: int, with_ui: bool = False, say: Callable[[str], None] = lambda _: None) -> Report:
    """A storm in a folder of its own, which is kept when the books do not balance."""
    home = Path(tempfile.mkdtemp(prefix="arm-chaos-"))
    storm = Storm(seed, home, with_ui, say)
    report = storm.run(faults)
    if report.totals.faults:
        say(f"kept for looking: {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)
    return report
