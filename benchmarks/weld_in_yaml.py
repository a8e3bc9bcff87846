"""The weld detector trained by the solution's own code and by train_atp.yaml: do both end at the same place?

    python -m benchmarks.weld_in_yaml                              generated welds, 3 epochs, 8 seeds
    python -m benchmarks.weld_in_yaml --data ../shared/data/weld-leak-water --epochs 6 --seeds 5

Each pair has the same data, seed and parameters; orders of images and augmentations are drawn differently, so a pair
differs as two seeds do. Runs of a workstation of its own, one after another.
"""

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import ttest_ind

from app.api_client import Api
from backend.contracts.datasets import Dataset
from backend.contracts.projects import Project, ProjectCreate
from backend.contracts.runs import RunCreate
from benchmarks.demo_weld import SOLUTION, follow
from benchmarks.own_workstation import workstation, zip_folder

PIPELINES = {"train.py": "", "train_atp.yaml": "train_atp.yaml"}
SCORES = {"train.py": "val_mAP50", "train_atp.yaml": "map_50"}
GENERATED_IMAGES = 120


@dataclass(frozen=True)
class Ending:
    """Mean loss of the last epoch, and mAP at IoU 0.5 of the validation after it."""

    loss: float
    score: float


def main() -> None:
    """Print a row for each run and what the pairs say together."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weld_in_yaml")
    parser.add_argument("--data", type=Path, help="a YOLO folder; generated welds where none is given")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--short-side", type=int, default=128)
    given = parser.parse_args()
    endings: dict[str, list[Ending]] = {name: [] for name in PIPELINES}
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as scratch, workstation(Path(scratch) / "home") as (api, _):
        project, dataset = prepared(api, Path(scratch), given.data)
        for seed in range(1, given.seeds + 1):
            for name in PIPELINES:
                ending = trained(api, project, dataset, name, seed, given)
                endings[name].append(ending)
                print(f"seed {seed}  {name:15} loss {ending.loss:.4f}  mAP50 {ending.score:.4f}", flush=True)
    for measure in ("loss", "score"):
        print(summary(measure, *([getattr(one, measure) for one in found] for found in endings.values())))


def prepared(api: Api, scratch: Path, data: Path | None) -> tuple[Project, Dataset]:
    """The solution as a project, and the data."""
    if data is None:
        from assets.weld_generator import generate

        data = scratch / "generated"
        generate(data, images=GENERATED_IMAGES, seed=7)
    with zip_folder(data, scratch / "data.zip").open("rb") as archive:
        dataset = api.import_dataset(data.name, archive)
    project = api.create_project(ProjectCreate(name="weld defects"))
    with zip_folder(SOLUTION, scratch / "code.zip").open("rb") as archive:
        return api.upload_code(project.id, archive), dataset


def trained(api: Api, project: Project, dataset: Dataset, name: str, seed: int, given: argparse.Namespace) -> Ending:
    """Train once; the graphs of the run say how it ended."""
    params: dict[str, dict[str, Any]] = {
        "train": {"epochs": given.epochs},
        "model": {"finest_stride": "8"},
        "trainer": {"precision": "32-true"},
        "data": {"short_side": given.short_side, "long_side": 2 * given.short_side, "workers": 0},
    }
    if not PIPELINES[name]:
        params["export"] = {"onnx": False}
    request = RunCreate(
        project_id=project.id, kind="train", pipeline=PIPELINES[name], dataset_id=dataset.id, seed=seed, params=params
    )
    run = follow(api, api.start_run(request))
    if run.state != "finished":
        raise SystemExit(f"{name} ended as {run.state}")
    reply = api.points(run.id, max_points=100_000)
    assert reply is not None
    graphs = {series.name: [value for value in series.values if value is not None] for series in reply.series}
    losses = graphs["train_loss"]
    last = losses[-(len(losses) // given.epochs) :]
    return Ending(statistics.fmean(last), graphs[SCORES[name]][-1])


def summary(measure: str, own: list[float], ours: list[float]) -> str:
    """Both means, and the difference with its interval: Welch's, as few seeds know their own spread badly."""
    if len(own) < 2:
        return f"{measure}: {own[0]:.4f} beside {ours[0]:.4f}; two seeds or more would tell the noise"
    low, high = ttest_ind(ours, own, equal_var=False).confidence_interval()
    difference = statistics.fmean(ours) - statistics.fmean(own)
    return (
        f"{measure}: {statistics.fmean(own):.4f} ± {statistics.stdev(own):.4f} by its own code, "
        f"{statistics.fmean(ours):.4f} ± {statistics.stdev(ours):.4f} in YAML (± between seeds); "
        f"difference {difference:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}: "
        f"{'within' if low <= 0 <= high else 'NOT within'} the noise"
    )


if __name__ == "__main__":
    main()
