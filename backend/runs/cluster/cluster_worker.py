"""Offers the slots of a Ray cluster like any worker; every run that it claims becomes one job of the cluster.

Jobs do not need this process: it may be stopped and started again, on another machine too, while they go on.
"""

import logging
import sys
import time
from collections import Counter

from backend.contracts.runs import Run
from backend.contracts.workers import Claim, Device
from backend.runs.api_connection import ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.claim_loop import AWAY_PAUSE_S, ClaimLoop, Offer
from backend.runs.cluster.job_keeper import JobKeeper
from backend.runs.cluster.node_job import NodeJob
from backend.runs.cluster.ray_jobs import ClusterAwayError, ClusterRefusedError, RayJobs
from backend.runs.worker_name import held_worker_name
from backend.settings import Settings

LABEL = "ray"
COUNT_CARDS_S = 30.0
LOOK_S = 1.0
log = logging.getLogger(__name__)


class ClusterWorker:
    """Single-threaded, see ClaimLoop: a run that it claims becomes a job. While the cluster is away it claims none."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._api = ApiConnection(settings.worker_api_url, settings.api_token)
        self._ray = RayJobs(settings.ray_url or "", settings.ray_token)
        self._keeper = JobKeeper(
            self._api,
            settings.worker_api_url,
            self._ray,
            name,
            self._node_job,
            settings.cluster_python,
            settings.cluster_run_cpus,
        )
        labels = [LABEL, *filter(None, settings.worker_labels.split(","))]
        self._loop = ClaimLoop(self._api, name, tuple(dict.fromkeys(labels)), LOOK_S)
        self._devices: tuple[Device, ...] = ()
        self._counted_at: float | None = None
        self._has_leftovers_found = False
        self._is_away = True

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; jobs go on. Raises ApiRefusedError for a wrong token of the installation."""
        try:
            self._loop.run_until_signal(self)
        finally:
            self._ray.close()
            self._api.close()

    def look_after(self) -> None:
        """See to the jobs; wait when the cluster or the API is away."""
        try:
            self._count_cards()
            if not self._has_leftovers_found:
                self._keeper.find_leftovers()
                self._has_leftovers_found = True
            self._keeper.look_after()
            self._is_away = False
        except (ClusterAwayError, ClusterRefusedError) as error:
            log.warning("the cluster at %s: %s", self._settings.ray_url, error)
            self._is_away = True
            time.sleep(AWAY_PAUSE_S)
        except ApiAwayError as error:
            log.info("the API is away: %s", error)
            self._keeper.forgive_silence()
            time.sleep(AWAY_PAUSE_S)

    def offer(self) -> Offer:
        """The slots of the cluster."""
        return Offer(self._devices, Counter(run.device for run in self._keeper.runs), is_open=not self._is_away)

    def take(self, claim: Claim) -> None:
        """Its token is not needed: the next look finds the run and gives it a ticket."""
        log.info("claimed run %s for %s", claim.run_id, claim.device)

    def api_is_away(self) -> None:
        """The silence of agents is not their fault."""
        self._keeper.forgive_silence()

    def _count_cards(self) -> None:
        now = time.monotonic()
        if self._counted_at is not None and now - self._counted_at < COUNT_CARDS_S:
            return
        offered = {"cpu": self._settings.cluster_cpu_slots, "cuda:0": self._ray.gpu_count()}
        titles = {"cpu": "Ray: CPU", "cuda:0": "Ray: GPU"}
        devices = tuple(
            Device(name=device, title=titles[device], worker=self._name, slots=slots)
            for device, slots in offered.items()
            if slots
        )
        if devices != self._devices:
            log.info(
                "worker %s offers %s", self._name, ", ".join(f"{d.slots} × {d.name}" for d in devices) or "nothing"
            )
        self._devices, self._counted_at = devices, now

    def _node_job(self, run: Run, ticket: str) -> NodeJob:
        settings = self._settings
        return NodeJob(
            api_url=settings.node_api_url,
            run_id=run.id,
            ticket=ticket,
            device=run.device,
            home=settings.cluster_home,
            worker=self._name,
            stop_grace_s=settings.stop_grace_s,
            log_max_mb=settings.log_max_mb,
            isolation=settings.isolation,
            allow_network=settings.allow_network,
        )


def main() -> int:
    """`arm worker --cluster ray`, told what it needs by ARM_API_URL, ARM_API_TOKEN, ARM_RAY_URL and ARM_RAY_TOKEN."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = Settings()
    if not settings.ray_url:
        log.error("ARM_RAY_URL is not set: it is the address of the cluster's dashboard, such as http://head:8265")
        return 1
    try:
        with held_worker_name(settings.home_dir, settings.worker_name or LABEL) as name:
            ClusterWorker(settings, name).run()
    except ApiRefusedError as error:
        log.error("the API refused this worker: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
