"""The process of a job on a node: `python -m backend.runs.cluster.node_entry`, told by ARM_CLUSTER_JOB what to do.

Exchanges the ticket and then looks after the agent as a worker does: one that dies is replaced, nothing is lost.
"""

import logging
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path

from backend.contracts.base import Reason
from backend.contracts.workers import AdoptRequest, Claim, RunFinished
from backend.runs.agent import AgentJob
from backend.runs.api_connection import AgentApi, ApiAwayError, ApiConnection, ApiRefusedError
from backend.runs.cluster.node_job import JOB_VARIABLE, NodeExit, NodeJob
from backend.runs.launchers.choice import IsolationMissingError, LaunchRules, choose_isolation
from backend.runs.process_tree import adopt_orphans
from backend.runs.run_folder import RunFolder
from backend.runs.run_keeper import RunKeeper
from backend.runs.supervision_folder import SupervisionFolder

CONTACT_PATIENCE_S = 120.0
LOOK_S = 0.1
STOP_PATIENCE_S = 10.0
SDK_DIR = Path(__file__).parents[3]
log = logging.getLogger(__name__)


class NodeRun:
    """One run of one job. It is the source of tokens for its keeper: always the one that the ticket was changed for."""

    def __init__(self, job: NodeJob) -> None:
        self._job = job
        self._home = Path(job.home).expanduser().resolve()
        self._claim = Claim(run_id=job.run_id, device=job.device, token=secrets.token_urlsafe(32))
        self._rules = LaunchRules()
        self._is_stopping = False

    def stop(self, *_: object) -> None:
        """Signal handler: end the run soon."""
        self._is_stopping = True

    def adopt(self, request: AdoptRequest) -> Claim:
        """The token for another agent of this run. Raises ApiRefusedError for any other run."""
        if request.run_id != self._claim.run_id:
            raise ApiRefusedError(403, "token_refused", {})
        return self._claim

    def run(self) -> NodeExit:
        """From the ticket to the end of the agent. What happens to the script is told by the agent."""
        try:
            self._use_ticket()
        except ApiRefusedError as error:
            log.error("the ticket was refused: %s", error)
            return NodeExit.TICKET_REFUSED
        except ApiAwayError as error:
            log.error("the API at %s can not be reached: %s", self._job.api_url, error)
            return NodeExit.NO_CONTACT
        try:
            self._rules = self._chosen_rules()
        except IsolationMissingError as error:
            self._report_failure(Reason(code="isolation_missing", params={"detail": str(error)}))
            return NodeExit.DONE
        self._look_after_agent()
        return NodeExit.DONE

    def _use_ticket(self) -> None:
        deadline = time.monotonic() + CONTACT_PATIENCE_S
        connection = ApiConnection(
            self._job.api_url, self._job.ticket, lambda: time.monotonic() < deadline and not self._is_stopping
        )
        try:
            connection.use_ticket(self._claim.run_id, self._claim.token)
        finally:
            connection.close()

    def _chosen_rules(self) -> LaunchRules:
        isolation, fault = choose_isolation(self._job.isolation, self._home)
        if fault is not None:
            log.warning("the script runs without isolation: %s", fault)
        return LaunchRules(isolation=isolation, allow_network=self._job.allow_network)

    def _look_after_agent(self) -> None:
        adopt_orphans()
        keeper = RunKeeper(self, self._home, self._job.worker, self._agent_job, is_for_one=True)
        keeper.start(self._claim)
        while keeper.devices and not self._is_stopping:
            keeper.look_after()
            time.sleep(LOOK_S)
        if self._is_stopping:
            keeper.stop(self._job.stop_grace_s + STOP_PATIENCE_S)
        if not SupervisionFolder(self._home, self._claim.run_id).root.exists():
            # Everything has arrived: a node's disk is no archive.
            shutil.rmtree(RunFolder(self._home / "runs" / self._claim.run_id).root, ignore_errors=True)

    def _agent_job(self, claim: Claim) -> AgentJob:
        return AgentJob(
            api_url=self._job.api_url,
            run_id=claim.run_id,
            token=claim.token,
            home=self._home,
            worker=self._job.worker,
            stop_grace_s=self._job.stop_grace_s,
            log_max_mb=self._job.log_max_mb,
            rules=self._rules,
            is_on_cluster=True,
            cards=os.environ.get("CUDA_VISIBLE_DEVICES", ""),
            sdk_dir=str(SDK_DIR),
        )

    def _report_failure(self, reason: Reason) -> None:
        connection = ApiConnection(self._job.api_url, self._claim.token, lambda: not self._is_stopping)
        try:
            AgentApi(connection, self._claim.run_id).finished(RunFinished(state="failed", reason=reason))
        finally:
            connection.close()


def main() -> int:
    """Do the job in the environment and return a NodeExit."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    run = NodeRun(NodeJob.model_validate_json(os.environ.pop(JOB_VARIABLE)))
    signal.signal(signal.SIGTERM, run.stop)
    signal.signal(signal.SIGINT, run.stop)
    return run.run()


if __name__ == "__main__":
    sys.exit(main())
