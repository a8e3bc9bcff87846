"""Runs: one execution of a launch file, everything needed to repeat it, and everything it reported."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from backend.contracts.base import Contract, Reason
from backend.contracts.datasets import SampleEntry, Split
from backend.contracts.markup import Markup
from backend.contracts.parameters import ParameterValues

RunKind = Literal["train", "test"]
RunState = Literal["created", "queued", "starting", "running", "finished", "failed", "stopped", "lost"]
FINAL_STATES: frozenset[RunState] = frozenset({"finished", "failed", "stopped", "lost"})
MessageLevel = Literal["info", "warning", "error"]
MESSAGE_LEVELS: tuple[MessageLevel, ...] = ("info", "warning", "error")


class Sample(Contract):
    """What plays the role of train, val or test in a run: one split of one frozen dataset version."""

    role: Split
    dataset_id: str
    version: int
    split: Split


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
    `split_roles` says which split plays which role; absent roles play themselves.
    """

    project_id: str
    kind: RunKind
    params: ParameterValues = {}
    dataset_id: str | None = None
    dataset_version: int | None = None
    split_roles: dict[Split, Split] = {}
    device: str = "cpu"
    arguments: str = ""
    train_run_id: str | None = None
    seed: int | None = None
    limits: RunLimits = RunLimits()
    retries: int = Field(default=0, ge=0, le=10)
    """how many times a failed or lost run is started again, each time as a new run"""


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
    """A run as every page sees it. `reason` explains every final state; `progress` is 0..100."""

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
    isolation: str = ""
    is_stop_requested: bool = False
    limits: RunLimits = RunLimits()
    retries: int = 0
    retry_of: str | None = None
    retried_as: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    timings: RunTimings = RunTimings()


class Message(Contract):
    """One line of the information field; `time` is Unix seconds.

    `reason` is set on the workstation's own messages: a page shows it in the reader's language instead of `text`.
    """

    time: float
    level: MessageLevel
    text: str
    reason: Reason | None = None


class Series(Contract):
    """One graph, columnar; equal lengths. `steps` is the x axis: iterations, or epochs where iterations repeat."""

    name: str
    values: tuple[float | None, ...]
    epochs: tuple[int, ...]
    iters: tuple[int, ...]
    steps: tuple[int, ...]
    total: int


class PointsReply(Contract):
    """All graphs of a run, each downsampled to the number of points asked for. A new point changes `version`."""

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
    """A compute device a live worker offers, e.g. `cpu` or `cuda:0`."""

    name: str
    title: str
    worker: str


# --- spoken only between the backend and its workers and agents -------------------------------------------------------


class ClaimRequest(Contract):
    """A worker says that it is alive, what it offers, and asks for a run.

    `free` names the devices that could take a run now (None: all of them). `wait_s` is how long the answer may be held
    open (0..20).
    """

    worker: str = Field(min_length=1, max_length=200)
    devices: tuple[Device, ...]
    free: tuple[str, ...] | None = None
    wait_s: float = Field(default=10, ge=0, le=20)


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


class RunSpec(Contract):
    """Everything an agent needs to prepare the run folder."""

    run: Run
    code: dict[str, str]
    """path -> sha256 of each code file"""
    weights: dict[str, str]
    """file name -> sha256 of each weights file handed in"""
    classes: tuple[str, ...]
    limits: RunLimits = RunLimits()


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
