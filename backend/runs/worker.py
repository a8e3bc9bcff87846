"""Offers this machine's devices and claims runs for those that are free; its keeper starts an agent for each.

Agents outlive their worker: they have sessions of their own and speak to the API themselves.
"""

import logging
import platform
import sys

from backend.contracts.workers import Claim
from backend.runs.agent import AgentJob
from backend.runs.api_connection import ApiConnection, ApiRefusedError
from backend.runs.claim_loop import ClaimLoop, Offer
from backend.runs.devices import find_devices
from backend.runs.disk_upkeep import DiskUpkeep
from backend.runs.launchers.choice import IsolationMissingError, LaunchRules, choose_isolation
from backend.runs.process_tree import adopt_orphans
from backend.runs.run_keeper import RunKeeper
from backend.runs.worker_name import held_worker_name
from backend.settings import Settings

FULL_PAUSE_S = 0.1
log = logging.getLogger(__name__)


class Worker:
    """Single-threaded, see ClaimLoop: every run that it claims gets an agent on this machine."""

    def __init__(self, settings: Settings, name: str, rules: LaunchRules) -> None:
        self._settings = settings
        self._name = name
        self._rules = rules
        self._devices = find_devices(name, settings.cpu_slots)
        self._api = ApiConnection(settings.worker_api_url, settings.api_token)
        self._keeper = RunKeeper(self._api, settings.home_dir, name, self._job_of)
        labels = tuple(filter(None, settings.worker_labels.split(",")))
        self._loop = ClaimLoop(self._api, name, labels, FULL_PAUSE_S)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then every script is stopped and every agent has reported.

        Call it from the main thread. Raises ApiRefusedError for a wrong token.
        """
        adopt_orphans()
        log.info("worker %s offers %s", self._name, ", ".join(device.name for device in self._devices))
        try:
            self._loop.run_until_signal(self)
        finally:
            self._keeper.stop(self._settings.stop_grace_s + 10)
            self._api.close()

    def look_after(self) -> None:
        """See to agents and their runs."""
        self._keeper.look_after()

    def offer(self) -> Offer:
        """The devices of this machine."""
        return Offer(self._devices, self._keeper.devices)

    def take(self, claim: Claim) -> None:
        """Give a claimed run to an agent."""
        self._keeper.start(claim)

    def api_is_away(self) -> None:
        """Nothing: agents speak to the API themselves."""

    def _job_of(self, claim: Claim) -> AgentJob:
        settings = self._settings
        return AgentJob(
            api_url=settings.worker_api_url,
            run_id=claim.run_id,
            token=claim.token,
            home=settings.home_dir,
            worker=self._name,
            stop_grace_s=settings.stop_grace_s,
            log_max_mb=settings.log_max_mb,
            rules=self._rules,
        )


def launch_rules(settings: Settings) -> LaunchRules:
    """What this machine's administrator decided, bubblewrap tried out. Raises IsolationMissingError."""
    isolation, fault = choose_isolation(settings.isolation, settings.home_dir)
    if fault is not None:
        log.warning("scripts run without isolation: %s", fault)
    return LaunchRules(isolation=isolation, allow_network=settings.allow_network)


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
            Worker(settings, name, launch_rules(settings)).run()
    except ApiRefusedError as error:
        log.error("the API refused this worker: %s", error)
        return 1
    except IsolationMissingError as error:
        log.error("ARM_ISOLATION=bubblewrap, and bubblewrap does not work here: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
