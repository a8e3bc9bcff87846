"""One process per run: prepares the folder, starts the script, ships what it reports, says how it ended.

`python -m backend.runs.agent` reads its job as one JSON line from stdin: a token has no place among the arguments,
which every user of the machine can read. A worker starts the next agent ahead of time; without a job it just ends.
"""

import logging
import os
import shutil
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.contracts.base import Contract, Reason
from backend.contracts.runs import RunLimits
from backend.contracts.workers import AgentNote, RunFinished, RunStarted
from backend.domain.errors import InvalidInputError
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.bounded_log import close_hole
from backend.runs.heart import Heart, tail_text
from backend.runs.launchers.base import LaunchRequest
from backend.runs.launchers.choice import LaunchRules, launcher
from backend.runs.launchers.local import stop_script
from backend.runs.limit_watch import LimitWatch
from backend.runs.object_cache import BrokenObjectError, ObjectCache
from backend.runs.outcome import StopCause, failed, outcome
from backend.runs.preparation import PreparationStoppedError, prepare
from backend.runs.run_folder import RunFolder
from backend.runs.script_gateway import ScriptGateway
from backend.runs.script_process import ScriptLostError, ScriptPlace, ScriptProcess, SpareShim
from backend.runs.shipping import Shipper, put_log
from backend.runs.supervision_folder import SupervisionFolder, boot_id, is_locked, try_lock, write_note

PATIENCE_AFTER_END_S = 600.0
WATCH_S = 0.1
LOOK_PERIOD_S = 0.5
DISK_FULL_BYTES = 1 << 20
log = logging.getLogger(__name__)


class NetworkNotAllowedError(Exception):
    """The run asks for the network, which the administrator of this machine does not give."""


class AgentJob(Contract):
    """What a worker hands to an agent."""

    api_url: str
    run_id: str
    token: str
    home: Path
    python: str = sys.executable
    stop_grace_s: float = 10
    log_max_mb: int = 1024
    worker: str = ""
    rules: LaunchRules = LaunchRules()
    is_on_cluster: bool = False
    """whether the run ends with its worker, which is then the job of a cluster"""
    cards: str = ""
    """the cards of a run on CUDA where they are not those of its device, as CUDA_VISIBLE_DEVICES"""
    sdk_dir: str = ""


class Agent:
    """One run from claim to end, or from where an earlier agent died. The script has a shim and does not need us."""

    def __init__(self, job: AgentJob, spare_shim: SpareShim) -> None:
        self._job = job
        self._spare_shim = spare_shim
        self._folder = RunFolder(job.home / "runs" / job.run_id)
        self._connection = ApiConnection(job.api_url, job.token, self._keep_trying)
        self._api = AgentApi(self._connection, job.run_id)
        self._cache = ObjectCache(job.home / "cache" / "objects", self._connection)
        self._launcher = launcher(job.rules.isolation, job.home)
        self._supervised = SupervisionFolder(job.home, job.run_id)
        self._place = ScriptPlace(self._supervised, self._folder.root, job.log_max_mb << 20, job.is_on_cluster)
        self._limits = RunLimits()
        self._gateway = ScriptGateway(self._folder.api_socket, job.api_url, job.run_id, job.token)
        self._should_stop = threading.Event()
        self._stop_cause: StopCause = "stopped_by_user"
        self._stop_params: dict[str, object] = {}
        self._refusal: ApiRefusedError | None = None
        self._is_started = False
        self._is_adopted = False
        self._looked_around_at = 0.0
        self._ended_at: float | None = None
        self._heart = Heart(
            self._api,
            self._folder.stdout_file,
            self._folder.stderr_file,
            lambda: self.stop("stopped_by_user"),
            self._be_refused,
        )

    def stop(self, cause: StopCause, params: dict[str, object] | None = None) -> None:
        """End the script soon. Safe in a signal handler and from any thread."""
        if not self._should_stop.is_set():
            self._stop_cause, self._stop_params = cause, params or {}
            self._should_stop.set()

    def run(self) -> None:
        """Do everything, or what an earlier agent of the run left to do. Raises ApiRefusedError when the run is not (or
        no longer) ours, ApiAwayError when the backend stayed away for ten minutes after the end; the run folder and
        the supervision folder keep what was not told.
        """
        # Held until this process ends: whoever can take it knows that no agent lives.
        lock = try_lock(self._supervised.agent_lock)
        if lock is None:
            log.info("run %s: another agent has it", self._job.run_id)
            return
        write_note(lock, {"pid": os.getpid(), "worker": self._job.worker})
        self._heart.start()
        try:
            report = self._run_script()
            if self._refusal is not None:
                raise self._refusal
            for file in (self._folder.stdout_file, self._folder.stderr_file):
                self._put_log(file)
            self._tell_end(report)
        except ApiRefusedError:
            self._supervised.remove()  # Somebody else has the run now, or nobody.
            raise
        finally:
            self._gateway.stop()
            self._heart.stop()
            self._connection.close()
        self._supervised.remove()

    def _put_log(self, file: Path) -> None:
        try:
            if close_hole(file):
                self._heart.note(
                    AgentNote(code="log_cut", params={"limit_mb": self._job.log_max_mb, "file": file.name})
                )
            put_log(self._api, file)
        except OSError as error:
            log.warning("%s can not be read: %s", file.name, error)

    def _tell_end(self, report: RunFinished) -> None:
        self._heart.stop()  # Its last beat carries the notes that came last.
        try:
            self._api.finished(report)
        except ApiRefusedError as error:
            if error.code != "run_wrong_state":
                raise
            log.info("the run had ended otherwise before: %s", error)

    def _run_script(self) -> RunFinished:
        try:
            script = self._adopted_script() or self._start_script()
        except PreparationStoppedError:
            return RunFinished(state="stopped", reason=outcome(0, self._stop_cause, "").reason)
        except (BrokenObjectError, InvalidInputError) as error:
            return failed("inputs_broken", detail=str(error))
        except ApiRefusedError as error:
            if error.status == 403:
                raise
            return failed("inputs_missing", detail=str(error))
        except ValueError as error:
            return failed("arguments_unreadable", detail=str(error))
        except NetworkNotAllowedError:
            return failed("network_not_allowed")
        except OSError as error:
            return failed("start_failed", detail=str(error))
        self._is_started = True
        self._gateway.start()
        shipper = Shipper(self._api, self._folder, self._be_refused)
        shipper.start(self._started(script), self._is_adopted)
        try:
            exit_code, was_stopped = self._supervise(script)
        except ScriptLostError as error:
            log.error("the shim is gone, %s", error)
            report = self._lost(script)
        else:
            if script.record.left_behind:
                log.info("ended %d processes that the script left behind", script.record.left_behind)
            cause = self._stop_cause if was_stopped else None
            report = outcome(exit_code, cause, tail_text(self._folder.stderr_file), self._stop_params)
        self._ended_at = time.monotonic()
        shipper.finish()
        return report.model_copy(update={"warnings": shipper.warnings()})

    @staticmethod
    def _started(script: ScriptProcess) -> RunStarted:
        record = script.record
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - record.started_at
        return RunStarted(
            pid=record.script_pid,
            isolation=record.isolation,
            process_started_at=datetime.now(UTC) - timedelta(seconds=max(0.0, age_s)),
        )

    def _adopted_script(self) -> ScriptProcess | None:
        script = ScriptProcess.adopt(self._place)
        if script is not None:
            log.info("run %s: taking over from an earlier agent", self._job.run_id)
            self._is_adopted = True
            self._spare_shim.dismiss()
            self._limits = self._api.spec().run.limits
            self._heart.note(AgentNote(code="agent_replaced"))
        return script

    def _lost(self, script: ScriptProcess) -> RunFinished:
        is_new_boot = script.record.boot_id != boot_id()
        params = {"worker": self._job.worker}
        restarted = Reason(code="machine_restarted", params=params)
        reason = restarted if is_new_boot else Reason(code="supervisor_died", params=params)
        return RunFinished(state="lost", reason=reason, stderr_tail=tail_text(self._folder.stderr_file))

    def _start_script(self) -> ScriptProcess:
        spec = prepare(self._api, self._folder, self._cache, self._should_stop.is_set)
        if spec.run.network and not self._job.rules.allow_network:
            raise NetworkNotAllowedError
        request = LaunchRequest(
            folder=self._folder,
            python=self._job.python,
            entry_file=spec.run.entry_file,
            arguments=spec.run.arguments,
            device=f"cuda:{self._job.cards}" if self._job.cards and spec.run.device != "cpu" else spec.run.device,
            network=spec.run.network,
            threads=spec.run.limits.threads,
            processes=spec.run.processes,
            sdk_dir=self._job.sdk_dir,
        )
        self._limits = spec.run.limits
        plan = self._launcher.plan(request)
        if self._should_stop.is_set():
            raise PreparationStoppedError
        return self._launcher.start(plan, self._place, self._spare_shim)

    def _supervise(self, script: ScriptProcess) -> tuple[int, bool]:
        limits = LimitWatch(self._limits, script)
        while (exit_code := script.wait(WATCH_S)) is None:
            if (passed := limits.exceeded()) is not None:
                self.stop(*passed)
            if self._should_stop.is_set():
                return stop_script(script, self._job.stop_grace_s), True
            self._look_around()
        # Ray signals the script itself a moment after us.
        return exit_code, self._job.is_on_cluster and self._should_stop.is_set()

    def _look_around(self) -> None:
        now = time.monotonic()
        if now - self._looked_around_at < LOOK_PERIOD_S:
            return
        self._looked_around_at = now
        if self._job.is_on_cluster and not is_locked(self._supervised.worker_lock):
            self.stop("cluster_job_ended")
        try:
            free_bytes = shutil.disk_usage(self._folder.root).free
        except OSError:
            return
        if free_bytes < DISK_FULL_BYTES:
            self._heart.note(AgentNote(code="disk_full", params={"worker": self._job.worker}))

    def _be_refused(self, error: ApiRefusedError) -> None:
        if self._refusal is None:
            log.error("the backend takes nothing more from this run: %s", error)
            self._refusal = error
        self.stop("stopped_by_user")

    def _keep_trying(self) -> bool:
        if self._refusal is not None:
            return False
        if not self._is_started and self._should_stop.is_set():
            return False
        return self._ended_at is None or time.monotonic() - self._ended_at < PATIENCE_AFTER_END_S


def main() -> int:
    """Wait for a job on stdin and do it. 0: reported; 1: the backend refused or stayed away; 3: there was no job."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    spare_shim = SpareShim()
    line = sys.stdin.readline()
    if not line:
        return 3
    job = AgentJob.model_validate_json(line)
    agent = Agent(job, spare_shim)
    cause: StopCause = "cluster_job_ended" if job.is_on_cluster else "workstation_shutdown"
    signal.signal(signal.SIGTERM, lambda *_: agent.stop(cause))
    try:
        agent.run()
    except (ApiRefusedError, ApiAwayError) as error:
        log.error("the end of the run could not be reported: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
