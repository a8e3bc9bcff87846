"""Contract objects for tests of the UI: plausible defaults, any field can be given."""

from datetime import UTC, datetime, timedelta
from typing import Any

from backend.contracts.base import Reason
from backend.contracts.datasets import Dataset, DatasetVersion, SplitCounts
from backend.contracts.parameters import Parameter, ParameterSchema
from backend.contracts.projects import Code, CodeFile, Project
from backend.contracts.reports import Series, SeriesStats
from backend.contracts.runs import QueuedRun, Run, RunTimings, Sample
from backend.contracts.workers import Device, Worker, WorkerRun

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SPLITS = {
    "train": SplitCounts(images=80, boxes=212),
    "val": SplitCounts(images=20, boxes=51),
    "test": SplitCounts(images=20, boxes=47),
}


def dataset(**fields: Any) -> Dataset:
    """A small weld dataset."""
    defaults = {"id": "d1", "name": "Demo welds", "classes": ("pore", "crack"), "splits": SPLITS, "latest_version": 1}
    return Dataset(**{**defaults, "created_at": NOW, **fields})


def version(**fields: Any) -> DatasetVersion:
    """A frozen version."""
    return DatasetVersion(
        **{"dataset_id": "d1", "number": 1, "manifest": "ab" * 32, "splits": SPLITS, "created_at": NOW, **fields}
    )


def parameters() -> tuple[Parameter, ...]:
    """One parameter of each type, and one whose default breaks its own range."""
    return (
        Parameter(name="epochs", type="int", default=3, minimum=1, maximum=100, description="Passes over the data"),
        Parameter(name="lr", type="float", default=0.001, minimum=0, maximum=1),
        Parameter(name="augment", type="bool", default=True),
        Parameter(name="note", type="str", default=""),
        Parameter(group="network", name="backbone", type="choice", default="lite0", choices=("lite0", "lite1")),
        Parameter(group="network", name="anchors", type="int", default=500, minimum=1, maximum=9),
    )


def project(**fields: Any) -> Project:
    """A project with code and parameters."""
    defaults = {
        "id": "p1",
        "name": "weld_defects",
        "code": Code(
            sha256="c0" * 32,
            files=tuple(CodeFile(path=name, size_bytes=900, sha256="f0" * 32) for name in ("train.py", "test.py")),
        ),
        "train_file": "train.py",
        "test_file": "test.py",
        "parameters": ParameterSchema(train=parameters(), test=parameters()[:2]),
    }
    return Project(**{**defaults, "created_at": NOW, "updated_at": NOW, **fields})


def run(**fields: Any) -> Run:
    """A finished training run."""
    defaults = {
        "id": "r1",
        "number": 1,
        "project_id": "p1",
        "project_name": "weld_defects",
        "kind": "train",
        "state": "finished",
        "entry_file": "train.py",
        "params": {"basic params": {"epochs": 3, "lr": 0.001}, "network": {"backbone": "lite0"}},
        "samples": tuple(Sample(role=s, dataset_id="d1", version=1, split=s) for s in ("train", "val", "test")),
        "code_sha256": "c0" * 32,
        "progress": 100,
        "worker": "w1",
        "created_at": NOW,
        "started_at": NOW + timedelta(seconds=1),
        "finished_at": NOW + timedelta(seconds=95),
        "timings": RunTimings(queue_s=0.4, first_line_s=2.1, total_s=95),
    }
    return Run(**{**defaults, **fields})


def queued(position: int, reason: Reason, **fields: Any) -> QueuedRun:
    """A run in the queue."""
    waiting = {"state": "queued", "progress": 0, "worker": "", "started_at": None, "finished_at": None}
    return QueuedRun(run=run(**{**waiting, **fields}), position=position, waits_for=reason)


def worker(**fields: Any) -> Worker:
    """A live worker with one CPU slot and a card, on which run 1 computes."""
    name = fields.get("name", "lab")
    busy = {
        name: getattr(run(state="running", progress=42), name) for name in WorkerRun.model_fields if name != "device"
    }
    defaults = {
        "name": name,
        "labels": ("gpu",),
        "devices": (
            Device(name="cpu", title="CPU", worker=name, slots=2),
            Device(name="cuda:0", title="NVIDIA T4", worker=name),
        ),
        "used": {"cuda:0": 1},
        "runs": (WorkerRun(**busy, device="cuda:0"),),
        "is_alive": True,
        "is_draining": False,
        "last_seen": NOW,
    }
    return Worker(**{**defaults, **fields})


def series(name: str, values: list[float | None]) -> Series:
    """A graph with one point an iteration, ten iterations an epoch."""
    steps = tuple(range(len(values)))
    finite = [value for value in values if value is not None]
    stats = SeriesStats(
        count=len(values),
        special_count=len(values) - len(finite),
        min=min(finite, default=None),
        min_step=values.index(min(finite)) if finite else None,
        max=max(finite, default=None),
        max_step=values.index(max(finite)) if finite else None,
        mean=sum(finite) / len(finite) if finite else None,
        std=None,
        first=values[0],
        first_step=0,
        last=values[-1],
        last_step=len(values) - 1,
    )
    return Series(
        name=name,
        values=tuple(values),
        epochs=tuple(step // 10 for step in steps),
        iters=steps,
        steps=steps,
        total=len(values),
        stats=stats,
    )
