"""Runs: one execution of a launch file, everything needed to repeat it, and its place in the queue."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backend.contracts.base import Contract, Language, Reason
from backend.contracts.datasets import Split
from backend.contracts.parameters import ParameterValues
from backend.contracts.reports import MessageLevel

RunKind = Literal["train", "test"]
RunState = Literal["created", "queued", "starting", "running", "finished", "failed", "stopped", "lost"]
FINAL_STATES: frozenset[RunState] = frozenset({"finished", "failed", "stopped", "lost"})
PRIORITY_MAX = 100
Priority = Annotated[int, Field(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
"""A queued run with a higher one is started first."""
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""A word that a worker carries and a run may ask for, e.g. `lab2`."""


class Sample(Contract):
    """What plays the role of train, val or test in a run: one split of one frozen dataset version.

    `deleted_dataset` is the dataset's name once it was deleted: the run stays, but it can not be repeated.
    """

    role: Split
    dataset_id: str
    version: int
    split: Split
    deleted_dataset: str = ""


class RunLimits(Contract):
    """What a run may use; None is no limit. `time_s` counts from the start of the script, `memory_mb` is what the
    script and all its processes occupy, `threads` is what numerical libraries (OpenMP, MKL, OpenBLAS) start.
    """

    time_s: float | None = Field(default=None, ge=1, le=366 * 86400)
    memory_mb: int | None = Field(default=None, ge=16, le=1 << 24)
    threads: int | None = Field(default=None, ge=1, le=4096)


class RunCreate(Contract):
    """Start a run.

    `dataset_version` None freezes the dataset's current state first. Values missing in `params` take defaults.

    `train_run_id` (for kind `test`) names the training run whose weights are tested.
    `network` None takes the project's; True is refused unless the administrator allows it (ARM_ALLOW_NETWORK).
    `split_roles` says which split plays which role; absent roles play themselves.
    `project_weights` False: without `train_run_id`, do not begin with the weights that the project came with.
    """

    project_id: str
    kind: RunKind
    pipeline: str = Field(default="", max_length=1000)
    """a pipeline file of the project to run instead of its launch file; `arguments` may name a stage"""
    params: ParameterValues = {}
    dataset_id: str | None = None
    dataset_version: int | None = None
    split_roles: dict[Split, Split] = {}
    device: str = "cpu"
    arguments: str = ""
    train_run_id: str | None = None
    project_weights: bool = True
    seed: int | None = None
    priority: Priority = 0
    labels: Annotated[tuple[Label, ...], Field(max_length=16)] = ()
    """only a worker that carries all of them takes the run"""
    network: bool | None = None
    processes: int = Field(default=1, ge=1, le=64)
    """more than one: torchrun starts that many copies of the script on the device, each with its rank"""
    limits: RunLimits = RunLimits()
    retries: int = Field(default=0, ge=0, le=10)
    """how many times a failed or lost run is started again, each time as a new run"""
    language: Language | None = None
    """of the page where it is started, for what the script says; None leaves it to the machine that computes"""


class RunTimings(Contract):
    """Seconds from pressing Start to milestones, and the run's whole wall time; None until reached.

    `queue_s`: the backend heard that the script runs. `start_s`: the script's process existed, by its agent's clock.
    `first_line_s`: the script first called PlatformAPI, after its own imports.
    """

    queue_s: float | None = None
    start_s: float | None = None
    first_line_s: float | None = None
    total_s: float | None = None


class RunBrief(Contract):
    """Which run it is, and how it stands."""

    id: str
    number: int
    project_id: str
    project_name: str
    kind: RunKind
    state: RunState


class Run(RunBrief):
    """A run as every page sees it. `reason` explains every final state; `progress` is 0..100.

    `train_params` are, in a test, the parameters of the training whose weights it tests.
    """

    reason: Reason | None = None
    entry_file: str
    arguments: str = ""
    device: str = "cpu"
    params: ParameterValues = {}
    train_params: ParameterValues = {}
    samples: tuple[Sample, ...] = ()
    code_sha256: str
    train_run_id: str | None = None
    weights: tuple[str, ...] = ()
    seed: int | None = None
    progress: float = 0
    message_counts: dict[MessageLevel, int] = {}
    exit_code: int | None = None
    stderr_tail: str = ""
    worker: str = ""
    network: bool = False
    isolation: str = ""
    is_stop_requested: bool = False
    priority: int = 0
    labels: tuple[str, ...] = ()
    waits_for: Reason | None = None
    """why a queued run has not begun yet; filled in where one run is asked for"""
    processes: int = 1
    limits: RunLimits = RunLimits()
    retries: int = 0
    language: Language | None = None
    retry_of: str | None = None
    retried_as: str | None = None
    claim_count: int = 0
    """how many times a worker has taken it from the queue"""
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    timings: RunTimings = RunTimings()


class RunsDelete(Contract):
    """Runs to delete, all of them or none."""

    run_ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]


class QueuedRun(Contract):
    """A run in the queue: its place in the order of claims, from 1, and what it waits for."""

    run: Run
    position: int
    waits_for: Reason


class PriorityUpdate(Contract):
    """A new priority of a queued run."""

    priority: Priority


class QueueMove(Contract):
    """Put a queued run directly before or after another one; it takes over that one's priority. Name exactly one."""

    before: str | None = None
    after: str | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.before is None) == (self.after is None):
            raise ValueError("exactly one of `before` and `after` is needed")
        return self
