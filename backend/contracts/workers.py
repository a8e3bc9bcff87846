"""Workers: what they offer and compute, and what they and their agents say to the API about runs."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from backend.contracts.base import Contract, Reason
from backend.contracts.datasets import SampleEntry, Split
from backend.contracts.runs import Label, Run, RunBrief, RunState


class Device(Contract):
    """A compute device a live worker offers, e.g. `cpu` or `cuda:0`; `slots` runs compute on it at a time."""

    name: str
    title: str
    worker: str
    slots: int = Field(default=1, ge=1)


class WorkerRun(RunBrief):
    """A run that occupies a slot of a worker."""

    device: str
    progress: float


class DiskUse(Contract):
    """The disk on which a worker keeps its runs, bytes; the last three are how much of it may be cleaned, and when.

    Run folders of ended runs are removed after `keep_days`, files of the cache above `cache_limit_bytes`.
    """

    total_bytes: int = Field(ge=0)
    free_bytes: int = Field(ge=0)
    run_folder_count: int = Field(ge=0)
    run_folders_bytes: int = Field(ge=0)
    cache_bytes: int = Field(ge=0)
    cache_limit_bytes: int = Field(ge=0)
    keep_days: float = Field(ge=0)


class Worker(Contract):
    """A machine that computes runs. `used` counts occupied slots by device, from the runs themselves.

    `disk` is None until the worker has looked. `is_disk_low`: runs may soon fail for want of space.
    """

    name: str
    labels: tuple[str, ...]
    devices: tuple[Device, ...]
    used: dict[str, int]
    runs: tuple[WorkerRun, ...]
    is_alive: bool
    is_draining: bool
    last_seen: datetime
    disk: DiskUse | None = None
    is_disk_low: bool = False


class ClaimRequest(Contract):
    """A worker says that it is alive, what it offers, and asks for a run.

    `free` names the devices that could take a run now (None: all of them). `wait_s` is how long the answer may be held
    open (0..20).
    """

    worker: str = Field(min_length=1, max_length=200)
    devices: tuple[Device, ...]
    labels: Annotated[tuple[Label, ...], Field(max_length=16)] = ()
    free: tuple[str, ...] | None = None
    wait_s: float = Field(default=10, ge=0, le=20)


class WorkerFolders(Contract):
    """A worker says how its disk is used and asks which of its run folders (named by run id) may go."""

    disk: DiskUse
    run_ids: Annotated[tuple[str, ...], Field(max_length=5000)] = ()


class FolderVerdicts(Contract):
    """What the backend knows of run folders: whose runs were deleted, and since when the others have ended.

    A folder in neither belongs to a run that has not ended, or to none that this backend knows: both stay.
    """

    deleted: tuple[str, ...] = ()
    ended: dict[str, datetime] = {}


class Claim(Contract):
    """A run handed to a worker for one of its devices, with the token that is valid for this run only."""

    run_id: str
    device: str
    token: str


class AdoptRequest(Contract):
    """A worker found what an earlier process left of a run and takes it up; the answer is a Claim with a fresh token,
    and the run's former token opens nothing from then on.
    """

    worker: str = Field(min_length=1, max_length=200)
    run_id: str = Field(min_length=1, max_length=100)


class TicketRequest(Contract):
    """A cluster worker asks for something about a run that it claimed and whose agent has not begun yet."""

    worker: str = Field(min_length=1, max_length=200)
    run_id: str = Field(min_length=1, max_length=100)


class Ticket(Contract):
    """A secret that may be seen on its way to an agent: it opens nothing and is exchanged once for a real token."""

    run_id: str
    ticket: str


class TicketUse(Contract):
    """The agent brings the token that will be its own, so that an answer that got lost can be asked for again."""

    token: str = Field(min_length=32, max_length=200)


class RunSpec(Contract):
    """Everything an agent needs to prepare the run folder."""

    run: Run
    code: dict[str, str]
    """path -> sha256 of each code file"""
    weights: dict[str, str]
    """file name -> sha256 of each weights file handed in"""
    classes: tuple[str, ...]


class SampleManifest(Contract):
    """The elements of one role of a run."""

    role: Split
    entries: tuple[SampleEntry, ...]


class AgentNote(Contract):
    """Something that the reader of a run should know; shown once among its messages, however often it is sent."""

    code: Literal["disk_full", "log_cut", "agent_replaced"]
    params: dict[str, str | int | float] = {}


class Heartbeat(Contract):
    """The agent proves that it is alive; also the last text of each stream, None where it did not change."""

    stderr_tail: str | None = None
    stdout_tail: str | None = None
    notes: tuple[AgentNote, ...] = Field(default=(), max_length=8)


class AgentReply(Contract):
    """The answer to heartbeats and batches. `accepted` is the offset up to which the named event file is stored."""

    is_stop_requested: bool = False
    accepted: int = 0


class RunStarted(Contract):
    """The script's process exists, since `process_started_at`."""

    pid: int
    isolation: str
    process_started_at: AwareDatetime | None = None


class RunFinished(Contract):
    """The script's process is gone. The agent says what happened; the backend decides whether the arrow is legal."""

    state: RunState
    reason: Reason
    exit_code: int | None = None
    stderr_tail: str = ""
    warnings: tuple[Reason, ...] = ()
    """What else the user should know, such as files that could not be kept"""
