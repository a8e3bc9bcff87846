"""Looks after the runs of one cluster worker: one job each, never two, and an honest end when a job is gone.

Nothing is kept here that a new process could not find again: ids of jobs follow from the runs, the rest from Ray.
"""

import logging
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from backend.contracts.base import Reason
from backend.contracts.runs import FINAL_STATES, Run, RunState
from backend.contracts.workers import AdoptRequest, RunFinished, TicketRequest
from backend.runs.api_connection import AgentApi, ApiConnection, ApiRefusedError
from backend.runs.cluster.code_package import code_package
from backend.runs.cluster.node_job import JOB_VARIABLE, NodeExit, NodeJob
from backend.runs.cluster.ray_jobs import ClusterRefusedError, RayJob, RayJobs

SILENT_S = 5.0
STOP_PATIENCE_S = 20.0
LEFTOVER_S = 15.0
SUBMIT_TRIES = 3
DETAIL_CHARS = 500
_OURS = re.compile(r"arm-(?P<run>[0-9a-f]{1,64})-[0-9]{1,9}")
ENTRY = "-m backend.runs.cluster.node_entry"
log = logging.getLogger(__name__)


@dataclass
class KeptRun:
    """What was seen of a run by our own clock. `ticket` is there until the run was submitted."""

    run: Run
    heard_at: float
    heartbeat_at: datetime | None = None
    stop_seen_at: float | None = None
    ticket: str | None = None
    failed_submits: int = 0


@dataclass
class Leftover:
    """A job whose run is over; it gets some time to end by itself."""

    since: float = field(default_factory=time.monotonic)


class JobKeeper:
    """Single-threaded. `node_job` makes a node's job from a run and a ticket; `api_url` is where this process asks."""

    def __init__(
        self,
        api: ApiConnection,
        api_url: str,
        ray: RayJobs,
        worker: str,
        node_job: Callable[[Run, str], NodeJob],
        python: str,
        run_cpus: float,
    ) -> None:
        self._api = api
        self._api_url = api_url
        self._ray = ray
        self._worker = worker
        self._node_job = node_job
        self._python = python
        self._run_cpus = run_cpus
        self._runs: dict[str, KeptRun] = {}
        self._leftovers: dict[str, Leftover] = {}

    @property
    def runs(self) -> list[Run]:
        """Runs that occupy a slot, as last seen."""
        return [kept.run for kept in self._runs.values()]

    def find_leftovers(self) -> None:
        """Jobs of an earlier process whose runs have ended meanwhile. Raises as RayJobs and ApiConnection do."""
        for job in self._ray.jobs():
            ours = _OURS.fullmatch(job.submission_id or "")
            if ours is None or (job.metadata or {}).get("arm_worker") != self._worker or not job.is_alive:
                continue
            try:
                answer = self._api.attempt("GET", f"/runs/{ours['run']}")
            except ApiRefusedError:
                continue  # Not a run of this workstation.
            run = Run.model_validate_json(answer.content)
            if run.state in FINAL_STATES or ours[0] != submission_id(run):
                self._leftovers[ours[0]] = Leftover()

    def look_after(self) -> None:
        """One look at every run and job. Raises ClusterAwayError, ApiAwayError, ApiRefusedError for a wrong token."""
        active = {run.id: run for run in self._api.runs_of(self._worker)}
        jobs = {submission_id(run) for run in active.values()}
        for kept in [kept for kept in self._runs.values() if submission_id(kept.run) not in jobs]:
            self._leftovers[submission_id(kept.run)] = Leftover()  # It is over, or was claimed anew.
            del self._runs[kept.run.id]
        now = time.monotonic()
        for run in active.values():
            kept = self._runs.setdefault(run.id, KeptRun(run, heard_at=now))
            kept.run = run
            if run.heartbeat_at != kept.heartbeat_at:
                kept.heartbeat_at, kept.heard_at = run.heartbeat_at, now
            self._look_at(kept)
        for job_id in list(self._leftovers):
            self._look_at_leftover(job_id)

    def forgive_silence(self) -> None:
        """The API was away: that nothing was heard of agents is not their fault."""
        for kept in self._runs.values():
            kept.heard_at = time.monotonic()

    def _look_at(self, kept: KeptRun) -> None:
        is_silent = time.monotonic() - kept.heard_at >= SILENT_S
        if kept.run.is_stop_requested:
            self._press_stop(kept)
        if kept.run.state == "running" and not is_silent:
            return  # Its agent proves that it lives: no need to ask Ray.
        job = self._ray.job(submission_id(kept.run))
        if kept.run.state == "starting" and (job is None or job.is_alive):
            self._await_agent(kept, job)
        elif job is None or job.is_alive:
            return  # The lease will tell: Ray calls jobs of a dead node running, and a new head knows none.
        elif is_silent or job.driver_exit_code in (NodeExit.TICKET_REFUSED, NodeExit.NO_CONTACT):
            self._end(kept, job)

    def _press_stop(self, kept: KeptRun) -> None:
        """The agent hears of a stop by itself; a job that has not ended long after that is stopped by Ray."""
        now = time.monotonic()
        if kept.stop_seen_at is None:
            kept.stop_seen_at = now
        grace_s = self._node_job(kept.run, "").stop_grace_s + STOP_PATIENCE_S
        if now - kept.stop_seen_at > grace_s:
            log.warning("run %s does not stop: stopping its job", kept.run.number)
            self._stop_job(submission_id(kept.run))
            kept.stop_seen_at = now

    def _await_agent(self, kept: KeptRun, job: RayJob | None) -> None:
        """Submit the job, or keep the lease until its agent takes over."""
        request = TicketRequest(worker=self._worker, run_id=kept.run.id)
        try:
            if job is None and kept.ticket is None:
                kept.ticket = self._api.open_ticket(request)
            is_stop_requested = job is not None and self._api.renew_waiting(request).is_stop_requested
        except ApiRefusedError as error:
            if error.code != "run_has_agent":
                raise
            return
        if kept.run.is_stop_requested or is_stop_requested:
            self._stop_job(submission_id(kept.run))
            self._report(kept, "stopped", Reason(code="stopped_by_user"))
        elif job is None:
            self._submit(kept)

    def _submit(self, kept: KeptRun) -> None:
        assert kept.ticket is not None
        run, job = kept.run, self._node_job(kept.run, kept.ticket)
        package = code_package()
        try:
            self._ray.upload(package.name, package.content)
            self._ray.submit(
                submission_id(run),
                # Without exec a shell would stand between Ray's signals and the process.
                entrypoint=f"exec {shlex.quote(self._python)} {ENTRY}",
                package=package.name,
                variables={
                    JOB_VARIABLE: job.model_dump_json(),
                    # Ray kills 3 s after SIGTERM, which would cut off what is still to be delivered.
                    "RAY_JOB_STOP_WAIT_TIME_S": str(int(job.stop_grace_s + STOP_PATIENCE_S)),
                },
                metadata={"arm_worker": self._worker},
                cpus=self._run_cpus * run.processes,
                gpus=0 if run.device == "cpu" else 1,
            )
        except ClusterRefusedError as error:
            if self._ray.job(submission_id(run)) is not None:
                return  # It was there: the answer to an earlier attempt was lost.
            kept.failed_submits += 1
            log.warning("run %s: Ray refused its job: %s", run.number, error)
            if kept.failed_submits >= SUBMIT_TRIES:
                detail = str(error)[-DETAIL_CHARS:]
                reason = Reason(code="cluster_refused", params={"worker": self._worker, "detail": detail})
                self._report(kept, "failed", reason)
            return
        kept.ticket = None  # Should Ray forget the job, only the backend knows whether it has begun.
        log.info("run %s: submitted as %s", run.number, submission_id(run))

    def _end(self, kept: KeptRun, job: RayJob) -> None:
        """The agent will not tell the end of this run: its job is over."""
        run = kept.run
        state: RunState = "lost" if run.state == "running" else "failed"
        if run.is_stop_requested:
            self._report(kept, "stopped", Reason(code="stopped_by_user"))
        elif job.driver_exit_code == NodeExit.NO_CONTACT:
            api_url = self._node_job(run, "").api_url
            reason = Reason(code="cluster_no_contact", params={"api_url": api_url, "worker": self._worker})
            self._report(kept, state, reason)
        else:
            reason = Reason(code="cluster_job_gone", params={"worker": self._worker, "detail": _told_by(job)})
            self._report(kept, state, reason)

    def _report(self, kept: KeptRun, state: RunState, reason: Reason) -> None:
        """Say how the run ended, with a token of our own: from then on the ticket and the agent's token are void."""
        run = kept.run
        try:
            claim = self._api.adopt(AdoptRequest(worker=self._worker, run_id=run.id))
        except ApiRefusedError as error:
            if error.status == 403:
                raise
            log.info("run %s is nobody's any more: %s", run.number, error)
            return
        connection = ApiConnection(self._api_url, claim.token)
        try:
            AgentApi(connection, run.id).finished(RunFinished(state=state, reason=reason))
        except ApiRefusedError as error:
            log.info("run %s had ended before: %s", run.number, error)
        else:
            log.warning("run %s is %s: %s", run.number, state, reason)
        finally:
            connection.close()

    def _look_at_leftover(self, job_id: str) -> None:
        leftover, job = self._leftovers[job_id], self._ray.job(job_id)
        if job is None or not job.is_alive:
            del self._leftovers[job_id]
            if job is not None and job.status == "SUCCEEDED":
                self._ray.forget(job_id)  # Failed ones stay: their log is worth reading.
        elif time.monotonic() - leftover.since > LEFTOVER_S:
            log.warning("%s: its run is over, but the job is %s: stopping it", job_id, job.status)
            self._stop_job(job_id)
            leftover.since = time.monotonic()

    def _stop_job(self, job_id: str) -> None:
        try:
            self._ray.stop(job_id)
        except ClusterRefusedError as error:
            log.warning("%s can not be stopped: %s", job_id, error)


def submission_id(run: Run) -> str:
    """The id of the one job of this claim of this run."""
    return f"arm-{run.id}-{run.claim_count}"


def _told_by(job: RayJob) -> str:
    last_line = (job.message or "").strip().rpartition("\n")[2]
    return f"{job.status} {last_line}".strip()[:DETAIL_CHARS]
