"""Offers this machine's devices, claims runs for those that are free, and starts one agent process per run.

Agents outlive their worker: they have sessions of their own and speak to the API themselves.
"""

import logging
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from backend.contracts.base import Reason
from backend.contracts.runs import Claim, ClaimRequest, RunFinished
from backend.runs.agent import AgentJob
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.devices import find_devices
from backend.runs.heart import tail_text
from backend.runs.launchers.choice import IsolationMissingError, LaunchRules, choose_isolation
from backend.runs.outcome import signal_name
from backend.runs.process_tree import adopt_orphans, collect_orphans, end_descendants
from backend.runs.run_folder import RunFolder
from backend.runs.shipping import ship_leftovers
from backend.runs.worker_name import held_worker_name
from backend.settings import Settings

IDLE_WAIT_S = 10.0
BUSY_WAIT_S = 1.0
FULL_PAUSE_S = 0.1
RENEW_S = 5.0
AWAY_PAUSE_S = 1.0
log = logging.getLogger(__name__)


class ShutdownError(Exception):
    """A signal arrived while the worker waited for the API."""


@dataclass(frozen=True)
class RunningAgent:
    """An agent at work on a claimed run."""

    process: "subprocess.Popen[str]"
    claim: Claim
    device: str


class Worker:
    """Single-threaded: claim, start, look after agents, in turn."""

    def __init__(
        self,
        api_url: str,
        token: str,
        home: Path,
        name: str,
        cpu_slots: int,
        stop_grace_s: float,
        labels: tuple[str, ...] = (),
        rules: LaunchRules | None = None,
    ) -> None:
        self._api_url = api_url
        self._api = ApiConnection(api_url, token)
        self._home = home
        self._name = name
        self._stop_grace_s = stop_grace_s
        self._labels = labels
        self._devices = find_devices(name, cpu_slots)
        self._slots = Counter({device.name: device.slots for device in self._devices})
        self._rules = rules or LaunchRules()
        self._agents: list[RunningAgent] = []
        self._spare: subprocess.Popen[str] | None = None
        self._renewed_at = 0.0
        self._is_stopping = False
        self._is_waiting = False

    def stop(self, *_: int | FrameType | None) -> None:
        """Signal handler: claim nothing more, stop what runs."""
        self._is_stopping = True
        if self._is_waiting:
            raise ShutdownError

    def run(self) -> None:
        """Work until `stop`; then every script is stopped and every agent has reported."""
        adopt_orphans()
        log.info("worker %s offers %s", self._name, ", ".join(device.name for device in self._devices))
        try:
            while not self._is_stopping:
                self._collect_agents()
                self._spare = self._spare or self._start_agent()
                self._claim_or_pause()
        except ShutdownError:
            log.info("stopping")
        finally:
            self._stop_agents()
            self._api.close()

    def _claim_or_pause(self) -> None:
        free = self._slots - Counter(agent.device for agent in self._agents)
        now = time.monotonic()
        if not free and now - self._renewed_at < RENEW_S:
            time.sleep(FULL_PAUSE_S)
            return
        self._renewed_at = now
        wait_s = 0.0 if not free else BUSY_WAIT_S if self._agents else IDLE_WAIT_S
        request = ClaimRequest(
            worker=self._name, devices=self._devices, labels=self._labels, free=tuple(free), wait_s=wait_s
        )
        try:
            self._is_waiting = True
            claim = self._api.claim(request)
        except ApiAwayError as error:
            log.info("the API is away: %s", error)
            time.sleep(AWAY_PAUSE_S)
            return
        finally:
            self._is_waiting = False
        if claim is not None:
            self._hand_out(claim)

    def _hand_out(self, claim: Claim) -> None:
        process = self._spare if self._spare is not None and self._spare.poll() is None else self._start_agent()
        self._spare = None
        job = AgentJob(
            api_url=self._api_url,
            run_id=claim.run_id,
            token=claim.token,
            home=self._home,
            stop_grace_s=self._stop_grace_s,
            rules=self._rules,
        )
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(job.model_dump_json() + "\n")
        self._agents.append(RunningAgent(process, claim, claim.device))
        log.info("run %s: agent %d", claim.run_id, process.pid)

    def _start_agent(self) -> "subprocess.Popen[str]":
        """An agent that waits for its job: imports are done before the run that needs them comes."""
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        # The installation's token stays here: an agent needs only its run's.
        env = {name: value for name, value in os.environ.items() if not name.startswith("ARM_")}
        with (logs / "agents.log").open("ab") as agents_log:
            return subprocess.Popen(
                [sys.executable, "-m", "backend.runs.agent"],
                env=env,
                stdin=subprocess.PIPE,
                stdout=agents_log,
                stderr=agents_log,
                text=True,
                start_new_session=True,
            )

    def _collect_agents(self) -> None:
        for agent in [agent for agent in self._agents if agent.process.poll() is not None]:
            self._agents.remove(agent)
            if agent.process.returncode != 0:
                self._bury(agent)
        if self._spare is not None and self._spare.poll() is not None:
            self._spare = None
        collect_orphans(spared=self._pids())

    def _bury(self, agent: RunningAgent) -> None:
        """An agent died: end what its script left, and say so at once instead of letting the lease run out."""
        exit_code = agent.process.returncode
        ended = end_descendants(psutil.Process(), spared=self._pids())
        log.error("run %s: its agent died (%d), %d processes ended", agent.claim.run_id, exit_code, ended)
        cause = signal_name(-exit_code) if exit_code < 0 else str(exit_code)
        connection = ApiConnection(self._api_url, agent.claim.token)
        api, folder = AgentApi(connection, agent.claim.run_id), RunFolder(self._home / "runs" / agent.claim.run_id)
        try:
            ship_leftovers(api, folder)
            reason = Reason(code="agent_died", params={"cause": cause, "worker": self._name})
            stderr_tail = tail_text(folder.stderr_file)
            api.finished(RunFinished(state="lost", reason=reason, stderr_tail=stderr_tail))
        except (ApiRefusedError, ApiAwayError) as error:
            log.info("run %s: not reported: %s", agent.claim.run_id, error)  # It ended before, or the lease will tell.
        finally:
            connection.close()

    def _pids(self) -> set[int]:
        spare = set() if self._spare is None else {self._spare.pid}
        return {agent.process.pid for agent in self._agents} | spare

    def _stop_agents(self) -> None:
        if self._spare is not None:
            self._spare.kill()
            self._spare.wait()
        for agent in self._agents:
            agent.process.terminate()
        deadline = time.monotonic() + self._stop_grace_s + 10
        for agent in self._agents:
            try:
                agent.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                # It still tries to reach the API; it is on its own feet and goes on without us.
                log.warning("run %s: its agent has not reported yet", agent.claim.run_id)


def launch_rules(settings: Settings) -> LaunchRules:
    """What this machine's administrator decided, bubblewrap tried out. Raises IsolationMissingError."""
    isolation, fault = choose_isolation(settings.isolation, settings.home_dir)
    if fault is not None:
        log.warning("scripts run without isolation: %s", fault)
    return LaunchRules(isolation=isolation, allow_network=settings.allow_network)


def run_worker(
    api_url: str,
    token: str,
    home: Path,
    name: str,
    cpu_slots: int = 1,
    stop_grace_s: float = 10,
    labels: tuple[str, ...] = (),
    rules: LaunchRules | None = None,
) -> None:
    """Be a worker until SIGTERM or SIGINT. Call it from the main thread. Raises ApiRefusedError for a wrong token."""
    worker = Worker(api_url, token, home, name, cpu_slots, stop_grace_s, labels, rules)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


def main() -> int:
    """`python -m backend.runs.worker`, told what it needs by ARM_API_URL, ARM_API_TOKEN and ARM_HOME."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings()
    try:
        with held_worker_name(settings.home_dir, settings.worker_name or platform.node()) as name:
            run_worker(
                settings.worker_api_url,
                settings.api_token,
                settings.home_dir,
                name,
                settings.cpu_slots,
                settings.stop_grace_s,
                tuple(filter(None, settings.worker_labels.split(","))),
                launch_rules(settings),
            )
    except ApiRefusedError as error:
        log.error("the API refused this worker: %s", error)
        return 1
    except IsolationMissingError as error:
        log.error("ARM_ISOLATION=bubblewrap, and bubblewrap does not work here: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
