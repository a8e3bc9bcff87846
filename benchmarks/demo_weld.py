"""The main job on real weld images in one scripted run: import, train, test, print mAP.

    make demo-weld                                   the bead set, one epoch, CPU
    make demo-weld ARGS="--data PATH --epochs 20 --device cuda:0"

Uses the same client and the same requests as the pages. A workstation of its own is started in a temporary folder, so
nothing of the user's is touched; `--keep DIR` puts it into DIR, where `ARM_HOME=DIR make start` shows the result.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.api_client import Api
from backend.contracts.parameters import Parameter
from backend.contracts.projects import ProjectCreate
from backend.contracts.reports import Metric
from backend.contracts.runs import FINAL_STATES, Run, RunCreate
from benchmarks.own_workstation import workstation, zip_folder

ROOT = Path(__file__).parents[1]
REAL_DATA = ROOT.parent / "shared" / "data" / "weld-bead-voc"
SOLUTION = ROOT / "solutions" / "weld_defects"


def main() -> int:
    """Run the whole story once; 1 when any part of it did not finish."""
    parser = argparse.ArgumentParser(prog="make demo-weld")
    parser.add_argument(
        "--data", type=Path, default=REAL_DATA, help="a YOLO folder; generated welds where it is absent"
    )
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--keep", type=Path, help="data folder of the workstation, kept afterwards")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arm-demo-") as scratch:
        home = (arguments.keep or Path(scratch) / "home").resolve()
        with workstation(home) as (api, _):
            return run_story(api, Path(scratch), arguments.data, arguments.epochs, arguments.device)


def run_story(api: Api, scratch: Path, data: Path, epochs: int, device: str) -> int:
    """Import, train, test; prints one line a step."""
    if not data.is_dir():
        print(f"{data} is not here: generated welds are used instead, their mAP says nothing about real ones")
        from assets.weld_generator import generate

        data = scratch / "generated"
        generate(data, images=300, seed=7)
    started = time.perf_counter()
    with zip_folder(data, scratch / "data.zip").open("rb") as archive:
        dataset = api.import_dataset(data.name, archive)
    splits = {name: counts.images for name, counts in dataset.splits.items()}
    print(f"imported {data.name}: {splits} in {time.perf_counter() - started:.1f} s")
    project = api.create_project(ProjectCreate(name=f"weld defects, {data.name}"))
    with zip_folder(SOLUTION, scratch / "code.zip").open("rb") as archive:
        project = api.upload_code(project.id, archive)
    train_params = with_value(project.parameters.train, "epochs", epochs)
    train = follow(
        api,
        api.start_run(
            RunCreate(project_id=project.id, kind="train", dataset_id=dataset.id, device=device, params=train_params)
        ),
    )
    if train.state != "finished":
        return 1
    test = follow(
        api,
        api.start_run(
            RunCreate(
                project_id=project.id,
                kind="test",
                dataset_id=dataset.id,
                dataset_version=train.samples[0].version,
                device=device,
                train_run_id=train.id,
            )
        ),
    )
    if test.state != "finished":
        return 1
    for metric in api.metrics(test.id):
        show(metric)
    return 0


def with_value(parameters: tuple[Parameter, ...], name: str, value: int) -> dict[str, dict[str, Any]]:
    """Values for a run that differ from the defaults in one parameter, whatever its group."""
    return {parameter.group: {name: value} for parameter in parameters if parameter.name == name}


def follow(api: Api, run: Run) -> Run:
    """Print progress until the run is final, then how it ended."""
    shown = -1
    while run.state not in FINAL_STATES:
        if int(run.progress) // 10 > shown:
            shown = int(run.progress) // 10
            print(f"  {run.kind}: {run.state}, {run.progress:.0f} %", flush=True)
        time.sleep(1)
        run = api.run(run.id)
    timings = run.timings
    print(f"{run.kind} {run.state} in {timings.total_s:.0f} s; Start to first line {timings.first_line_s} s")
    if run.state != "finished":
        print(run.reason, run.stderr_tail, sep="\n")
    return run


def show(metric: Metric) -> None:
    """A table as text; other kinds by name only, they are for the eye."""
    print(f"\n{metric.name} ({metric.kind})")
    if metric.kind == "table":
        print("  " + " | ".join(metric.data["columns"]))
        for row in metric.data["rows"][:12]:
            print("  " + " | ".join(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))


if __name__ == "__main__":
    sys.exit(main())
