"""What a cluster worker and a node say to each other: the job in the environment, the exit code of its process."""

from enum import IntEnum

from backend.contracts.base import Contract
from backend.runs.launchers.choice import IsolationSetting

JOB_VARIABLE = "ARM_CLUSTER_JOB"


class NodeJob(Contract):
    """One run for a node. Every user of the cluster can read it, so its only secret is a ticket, good for one use."""

    api_url: str
    run_id: str
    ticket: str
    device: str
    home: str
    """data folder on the node; `~` is that of the node"""
    worker: str
    stop_grace_s: float
    log_max_mb: int
    isolation: IsolationSetting
    allow_network: bool


class NodeExit(IntEnum):
    """Why a node's process ended. Anything else: it was killed or did not even begin."""

    DONE = 0
    TICKET_REFUSED = 4
    NO_CONTACT = 5
