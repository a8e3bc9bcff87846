"""Says what a queued run waits for, from the queue and the workers as they are at this moment."""

from collections.abc import Sequence

from backend.contracts.base import Reason
from backend.contracts.runs import Run
from backend.contracts.workers import Worker


def reason_to_wait(run: Run, queue_before: Sequence[Run], workers: Sequence[Worker]) -> Reason:
    """Why `run` has not begun; `queue_before` are the queued runs that are claimed earlier."""
    offering = [worker for worker in workers if worker.is_alive and any(d.name == run.device for d in worker.devices)]
    if not offering:
        return Reason(code="waits_no_worker", params={"device": run.device})
    fitting = [worker for worker in offering if set(run.labels) <= set(worker.labels)]
    if not fitting:
        return Reason(code="waits_no_label", params={"device": run.device, "labels": ", ".join(run.labels)})
    taking = [worker for worker in fitting if not worker.is_draining]
    if not taking:
        names = ", ".join(worker.name for worker in fitting)
        return Reason(code="waits_draining", params={"device": run.device, "workers": names})
    ahead = sum(other.device == run.device for other in queue_before)
    if sum(_free_slots(worker, run.device) for worker in taking) > ahead:
        return Reason(code="waits_next", params={"device": run.device})
    occupying = sorted(other.number for worker in taking for other in worker.runs if other.device == run.device)
    params = {"device": run.device, "runs": ", ".join(map(str, occupying)), "ahead": ahead}
    return Reason(code="waits_busy", params=params) if occupying else Reason(code="waits_turn", params=params)


def _free_slots(worker: Worker, device: str) -> int:
    slots = sum(offered.slots for offered in worker.devices if offered.name == device)
    return max(0, slots - worker.used.get(device, 0))
