"""Offers the slots of a Ray cluster like any worker; every run that it claims becomes one job of the cluster.

Jobs do not need this process: it may be stopped and started again, on another machine too, while they go on.
"""

import logging
import signal
import sys
import time
from collections import Counter
from types import FrameType

from backend.contracts.runs import ClaimRequest, Device, Run
from backend.runs.api_connection import ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.cluster.job_keeper import JobKeeper
from backend.runs.cluster.node_job import NodeJob
from backend.runs.cluster.ray_jobs import ClusterAwayError, ClusterRefusedError, RayJobs
from backend.runs.worker import AWAY_PAUSE_S, BUSY_WAIT_S, IDLE_WAIT_S, RENEW_S, ShutdownError
from backend.runs.worker_name import held_worker_name
from backend.settings import Settings

LABEL = "ray"
COUNT_CARDS_S = 30.0
LOOK_S = 1.0
log = logging.getLogger(__name__)


class ClusterWorker:
    """Single-threaded: look after the jobs, claim another run. While the cluster is away it claims nothing."""

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
        self._labels = tuple(dict.fromkeys(labels))
        self._devices: tuple[Device, ...] = ()
        self._counted_at: float | None = None
        self._has_leftovers_found = False
        self._renewed_at = -RENEW_S
        self._is_away = True
        self._is_stopping = False
        self._is_waiting = False

    def stop(self, *_: int | FrameType | None) -> None:
        """Signal handler: claim nothing more. Jobs go on."""
        self._is_stopping = True
        if self._is_waiting:
            raise ShutdownError

    def run(self) -> None:
        """Work until `stop`. Raises ApiRefusedError for a wrong token of the installation."""
        try:
            while not self._is_stopping:
                self._look_after()
                self._claim_or_pause()
        except ShutdownError:
            log.info("stopping; jobs go on")
        finally:
            self._ray.close()
            self._api.close()

    def _look_after(self) -> None:
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

    def _claim_or_pause(self) -> None:
        busy = Counter(run.device for run in self._keeper.runs)
        free = () if self._is_away else tuple(Counter({d.name: d.slots for d in self._devices}) - busy)
        now = time.monotonic()
        if not free and now - self._renewed_at < RENEW_S:
            time.sleep(LOOK_S)
            return
        self._renewed_at = now
        wait_s = 0.0 if not free else BUSY_WAIT_S if busy else IDLE_WAIT_S
        request = ClaimRequest(worker=self._name, devices=self._devices, labels=self._labels, free=free, wait_s=wait_s)
        try:
            self._is_waiting = True
            claim = self._api.claim(request)
        except ApiAwayError as error:
            log.info("the API is away: %s", error)
            self._keeper.forgive_silence()
            time.sleep(AWAY_PAUSE_S)
            return
        finally:
            self._is_waiting = False
        if claim is not None:
            # Its token is not needed: the next look finds the run and gives it a ticket.
            log.info("claimed run %s for %s", claim.run_id, claim.device)

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
            worker = ClusterWorker(settings, name)
            signal.signal(signal.SIGTERM, worker.stop)
            signal.signal(signal.SIGINT, worker.stop)
            worker.run()
    except ApiRefusedError as error:
        log.error("the API refused this worker: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
