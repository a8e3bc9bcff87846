"""One process per run: prepares the folder, starts the script, ships what it reports, says how it ended.

`python -m backend.runs.agent` reads its job as one JSON line from stdin: a token has no place among the arguments,
which every user of the machine can read. A worker starts the next agent ahead of time; without a job it just ends.
"""

import logging
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from backend.contracts.base import Contract
from backend.contracts.runs import RunFinished, RunStarted
from backend.domain.errors import InvalidInputError
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.heart import Heart, tail_text
from backend.runs.launchers.base import LaunchRequest
from backend.runs.launchers.choice import LaunchRules, launcher
from backend.runs.launchers.local import LocalScript, stop_script
from backend.runs.object_cache import BrokenObjectError, ObjectCache
from backend.runs.outcome import StopCause, failed, outcome
from backend.runs.preparation import PreparationStoppedError, prepare
from backend.runs.run_folder import RunFolder
from backend.runs.shipping import Shipper, put_log

PATIENCE_AFTER_END_S = 600.0
WATCH_S = 0.1
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
    rules: LaunchRules = LaunchRules()


class Agent:
    """One run from claim to end. Use it from the main thread: the script dies with the thread that starts it."""

    def __init__(self, job: AgentJob) -> None:
        self._job = job
        self._folder = RunFolder(job.home / "runs" / job.run_id)
        self._connection = ApiConnection(job.api_url, job.token, self._keep_trying)
        self._api = AgentApi(self._connection, job.run_id)
        self._cache = ObjectCache(job.home / "cache" / "objects", self._connection)
        self._launcher = launcher(job.rules.isolation, job.home)
        self._should_stop = threading.Event()
        self._stop_cause: StopCause = "stopped_by_user"
        self._refusal: ApiRefusedError | None = None
        self._is_started = False
        self._ended_at: float | None = None
        self._heart = Heart(
            self._api,
            self._folder.stdout_file,
            self._folder.stderr_file,
            lambda: self.stop("stopped_by_user"),
            self._be_refused,
        )

    def stop(self, cause: StopCause) -> None:
        """End the script soon. Safe in a signal handler and from any thread."""
        if not self._should_stop.is_set():
            self._stop_cause = cause
            self._should_stop.set()

    def run(self) -> None:
        """Do everything. Raises ApiRefusedError when the run is not (or no longer) ours, ApiAwayError when the backend
        stayed away for ten minutes after the end; the run folder keeps what was not told.
        """
        self._heart.start()
        try:
            report = self._run_script()
            if self._refusal is not None:
                raise self._refusal
            put_log(self._api, self._folder.stdout_file)
            put_log(self._api, self._folder.stderr_file)
            self._api.finished(report)
        finally:
            self._heart.stop()
            self._connection.close()

    def _run_script(self) -> RunFinished:
        try:
            script = self._start_script()
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
        shipper = Shipper(self._api, self._folder, self._be_refused)
        shipper.start(
            RunStarted(pid=script.pid, isolation=self._launcher.isolation, process_started_at=datetime.now(UTC))
        )
        exit_code, was_stopped = self._supervise(script)
        self._ended_at = time.monotonic()
        left_behind = script.sweep()
        if left_behind:
            log.info("ended %d processes that the script left behind", left_behind)
        shipper.finish()
        cause = self._stop_cause if was_stopped else None
        report = outcome(exit_code, cause, tail_text(self._folder.stderr_file))
        return report.model_copy(update={"warnings": shipper.warnings()})

    def _start_script(self) -> LocalScript:
        spec = prepare(self._api, self._folder, self._cache, self._should_stop.is_set)
        if spec.run.network and not self._job.rules.allow_network:
            raise NetworkNotAllowedError
        request = LaunchRequest(
            folder=self._folder,
            python=self._job.python,
            entry_file=spec.run.entry_file,
            arguments=spec.run.arguments,
            device=spec.run.device,
            network=spec.run.network,
        )
        plan = self._launcher.plan(request)
        if self._should_stop.is_set():
            raise PreparationStoppedError
        return self._launcher.start(plan)

    def _supervise(self, script: LocalScript) -> tuple[int, bool]:
        while not self._should_stop.is_set():
            exit_code = script.wait(WATCH_S)
            if exit_code is not None:
                return exit_code, False
        return stop_script(script, self._job.stop_grace_s), True

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
    line = sys.stdin.readline()
    if not line:
        return 3
    agent = Agent(AgentJob.model_validate_json(line))
    signal.signal(signal.SIGTERM, lambda *_: agent.stop("workstation_shutdown"))
    try:
        agent.run()
    except (ApiRefusedError, ApiAwayError) as error:
        log.error("the end of the run could not be reported: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
