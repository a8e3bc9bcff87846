"""Runs: one execution of a launch file, everything needed to repeat it, and everything it reported."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from backend.contracts.base import Contract, Language, Reason
from backend.contracts.datasets import SampleEntry, Split
from backend.contracts.markup import Markup
from backend.contracts.parameters import ParameterValues

RunKind = Literal["train", "test"]
RunState = Literal["created", "queued", "starting", "running", "finished", "failed", "stopped", "lost"]
FINAL_STATES: frozenset[RunState] = frozenset({"finished", "failed", "stopped", "lost"})
MessageLevel = Literal["info", "warning", "error"]
PRIORITY_MAX = 100
Priority = Annotated[int, Field(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
"""A queued run with a higher one is started first."""
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""A word that a worker carries and a run may ask for, e.g. `lab2`."""
MESSAGE_LEVELS: tuple[MessageLevel, ...] = ("info", "warning", "error")


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


class Run(Contract):
    """A run as every page sees it. `reason` explains every final state; `progress` is 0..100.

    `train_params` are, in a test, the parameters of the training whose weights it tests.
    """

    id: str
    number: int
    project_id: str
    project_name: str
    kind: RunKind
    state: RunState
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


class Message(Contract):
    """One line of the information field; `time` is Unix seconds.

    `reason` is set on the workstation's own messages: a page shows it in the reader's language instead of `text`.
    """

    time: float
    level: MessageLevel
    text: str
    reason: Reason | None = None


class SeriesStats(Contract):
    """Statistics over every point of a graph. Values that are no numbers count in `special_count` only.

    `std` is that of the whole, not of a sample of it. None: there is no finite value, or the number itself is not one.
    """

    count: int
    special_count: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    mean: float | None
    std: float | None
    first: float | None
    first_step: int
    last: float | None
    last_step: int


class Series(Contract):
    """One graph, columnar; equal lengths. `steps` is the x axis: iterations, or epochs where iterations repeat.

    `special` says at which places `values` has None for "nan", "inf" or "-inf". `is_exact`: no point of what was asked
    for was left out. `total` and `stats` are of the whole graph, whatever range was asked for.
    """

    name: str
    values: tuple[float | None, ...]
    epochs: tuple[int, ...]
    iters: tuple[int, ...]
    steps: tuple[int, ...]
    total: int
    special: dict[int, str] = {}
    is_exact: bool = True
    stats: SeriesStats


class SeriesSummary(Contract):
    """A graph by name, without its points."""

    name: str
    stats: SeriesStats


class PointsReply(Contract):
    """Graphs of a run, each downsampled to the number of points asked for. A new point changes `version`."""

    version: int
    series: tuple[Series, ...]


class Metric(Contract):
    """A test metric. `data` by kind:

    table     {"columns": [str], "rows": [[cell]], "index": [str] | None}
    matrix    {"values": [[float]], "row_labels": [str], "column_labels": [str]}
    confusion {"values": [[int]], "labels": [str]}                 rows are the truth, columns the prediction
    histogram {"counts": [float], "edges": [float]}                len(edges) == len(counts) + 1
    """

    name: str
    kind: Literal["table", "matrix", "confusion", "histogram"]
    data: dict[str, Any]
    description: str = ""


class Result(Contract):
    """Predicted markup of one image, beside the truth it had when the run started (None where the image is unknown)."""

    index: int
    name: str
    description: str
    item_id: str | None
    dataset_id: str | None
    image: str | None
    width: int | None
    height: int | None
    prediction: Markup
    truth: Markup | None


class ResultPage(Contract):
    """A slice of results ordered by image name. `classes` lists every class met in predictions or truth of the run."""

    results: tuple[Result, ...]
    total: int
    classes: tuple[str, ...] = ()


class Artifact(Contract):
    """A file that a run produced, complete and hash-checked. `kind`: pytorch, onnx, checkpoint, log or file."""

    path: str
    kind: str
    sha256: str
    size_bytes: int
    created_at: datetime
    info: dict[str, Any] = {}


class Device(Contract):
    """A compute device a live worker offers, e.g. `cpu` or `cuda:0`; `slots` runs compute on it at a time."""

    name: str
    title: str
    worker: str
    slots: int = Field(default=1, ge=1)


class WorkerRun(Contract):
    """A run that occupies a slot of a worker."""

    id: str
    number: int
    project_id: str
    project_name: str
    kind: RunKind
    state: RunState
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


# --- spoken only between the backend and its workers and agents -------------------------------------------------------


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
