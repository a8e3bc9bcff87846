"""What every worker does until a signal, on one machine or for a cluster: look after its runs, claim another."""

import logging
import signal
import time
from collections import Counter
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from backend.contracts.workers import Claim, ClaimRequest, Device
from backend.runs.api_connection import ApiAwayError, ApiConnection

IDLE_WAIT_S = 10.0
BUSY_WAIT_S = 1.0
RENEW_S = 5.0
AWAY_PAUSE_S = 1.0
log = logging.getLogger(__name__)


class _ShutdownError(Exception):
    """A signal arrived while the worker waited for the API."""


@dataclass(frozen=True)
class Offer:
    """What a worker has at this moment: its devices, and how many runs occupy each. A closed one takes no run."""

    devices: tuple[Device, ...]
    busy: Counter[str]
    is_open: bool = True

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the devices with a free slot."""
        slots = Counter({device.name: device.slots for device in self.devices})
        return tuple(slots - self.busy) if self.is_open else ()


class ClaimsRuns(Protocol):
    """What differs between workers."""

    def look_after(self) -> None:
        """See to the runs that were claimed. Raises ApiRefusedError for a wrong token."""
        ...

    def offer(self) -> Offer:
        """What can be claimed for."""
        ...

    def take(self, claim: Claim) -> None:
        """A run was claimed."""
        ...

    def api_is_away(self) -> None:
        """A claim reached nobody."""
        ...


class ClaimLoop:
    """Single-threaded. `full_pause_s`: how long to sleep between two looks while no slot is free."""

    def __init__(self, api: ApiConnection, name: str, labels: tuple[str, ...], full_pause_s: float) -> None:
        self._api = api
        self._name = name
        self._labels = labels
        self._full_pause_s = full_pause_s
        self._renewed_at = -RENEW_S
        self._is_stopping = False
        self._is_waiting = False

    def run_until_signal(self, worker: ClaimsRuns) -> None:
        """Work until SIGTERM or SIGINT. Call it from the main thread. Raises ApiRefusedError for a wrong token."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        try:
            while not self._is_stopping:
                worker.look_after()
                self._claim_or_pause(worker)
        except _ShutdownError:
            log.info("stopping")

    def _stop(self, *_: int | FrameType | None) -> None:
        self._is_stopping = True
        if self._is_waiting:
            raise _ShutdownError

    def _claim_or_pause(self, worker: ClaimsRuns) -> None:
        offer = worker.offer()
        free = offer.free
        now = time.monotonic()
        if not free and now - self._renewed_at < RENEW_S:
            time.sleep(self._full_pause_s)
            return
        self._renewed_at = now
        wait_s = 0.0 if not free else BUSY_WAIT_S if offer.busy else IDLE_WAIT_S
        request = ClaimRequest(worker=self._name, devices=offer.devices, labels=self._labels, free=free, wait_s=wait_s)
        try:
            self._is_waiting = True
            claim = self._api.claim(request)
        except ApiAwayError as error:
            log.info("the API is away: %s", error)
            worker.api_is_away()
            time.sleep(AWAY_PAUSE_S)
            return
        finally:
            self._is_waiting = False
        if claim is not None:
            worker.take(claim)
