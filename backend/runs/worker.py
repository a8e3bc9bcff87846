"""Offers this machine's devices and claims runs for those that are free; its keeper starts an agent for each.

Agents outlive their worker: they have sessions of their own and speak to the API themselves.
"""

import logging
import platform
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from backend.contracts.runs import Claim, ClaimRequest
from backend.runs.agent import AgentJob
from backend.runs.api_connection import ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.devices import find_devices
from backend.runs.disk_upkeep import DiskUpkeep
from backend.runs.launchers.choice import IsolationMissingError, LaunchRules, choose_isolation
from backend.runs.process_tree import adopt_orphans
from backend.runs.run_keeper import RunKeeper
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


class Worker:
    """Single-threaded: look after the runs, claim another."""

    def __init__(
        self,
        api_url: str,
        token: str,
        home: Path,
        name: str,
        cpu_slots: int,
        stop_grace_s: float,
        log_max_mb: int,
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
        self._log_max_mb = log_max_mb
        self._keeper = RunKeeper(self._api, home, name, self._job_of)
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
                self._keeper.look_after()
                self._claim_or_pause()
        except ShutdownError:
            log.info("stopping")
        finally:
            self._keeper.stop(self._stop_grace_s + 10)
            self._api.close()

    def _claim_or_pause(self) -> None:
        busy = self._keeper.devices
        free = self._slots - busy
        now = time.monotonic()
        if not free and now - self._renewed_at < RENEW_S:
            time.sleep(FULL_PAUSE_S)
            return
        self._renewed_at = now
        wait_s = 0.0 if not free else BUSY_WAIT_S if busy else IDLE_WAIT_S
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
            self._keeper.start(claim)

    def _job_of(self, claim: Claim) -> AgentJob:
        return AgentJob(
            api_url=self._api_url,
            run_id=claim.run_id,
            token=claim.token,
            home=self._home,
            worker=self._name,
            stop_grace_s=self._stop_grace_s,
            log_max_mb=self._log_max_mb,
            rules=self._rules,
        )


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
    log_max_mb: int = 1024,
    labels: tuple[str, ...] = (),
    rules: LaunchRules | None = None,
) -> None:
    """Be a worker until SIGTERM or SIGINT. Call it from the main thread. Raises ApiRefusedError for a wrong token."""
    worker = Worker(api_url, token, home, name, cpu_slots, stop_grace_s, log_max_mb, labels, rules)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


def _upkeep(settings: Settings, name: str) -> DiskUpkeep:
    connection = ApiConnection(settings.worker_api_url, settings.api_token)
    keep_days, cache_max_gb = settings.keep_run_folders_days, settings.cache_max_gb
    return DiskUpkeep(connection, settings.home_dir, name, keep_days, cache_max_gb, settings.sweep_s)


def main() -> int:
    """`python -m backend.runs.worker`, told what it needs by ARM_API_URL, ARM_API_TOKEN and ARM_HOME."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings()
    try:
        with (
            held_worker_name(settings.home_dir, settings.worker_name or platform.node()) as name,
            _upkeep(settings, name),
        ):
            run_worker(
                settings.worker_api_url,
                settings.api_token,
                settings.home_dir,
                name,
                settings.cpu_slots,
                settings.stop_grace_s,
                settings.log_max_mb,
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
