"""The weld detector trained by the solution's own code and by train_atp.yaml: do both end at the same place?

    python -m benchmarks.weld_in_yaml                              generated welds, 3 epochs, 8 seeds
    python -m benchmarks.weld_in_yaml --data ../shared/data/weld-leak-water --epochs 6 --seeds 5

Each pair has the same data, seed and parameters; orders of images and augmentations are drawn differently, so a pair
differs as two seeds do. Both run by the command line that the solution's README names, one after another.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import ttest_ind

SOLUTION = Path(__file__).parents[1] / "solutions" / "weld_defects"
GENERATED_IMAGES = 120
OWN_ONLY = (
    "trainer.accelerator=cpu", "logging.mlflow=false", "logging.tensorboard=false", "export.onnx=false"
)  # fmt: skip


@dataclass(frozen=True)
class Ending:
    """Mean loss of the last epoch, and mAP at IoU 0.5 of the validation after it."""

    loss: float
    score: float


def main() -> None:
    """Print a row for each training and what the pairs say together."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weld_in_yaml")
    parser.add_argument("--data", type=Path, help="a YOLO folder; generated welds where none is given")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--short-side", type=int, default=128)
    given = parser.parse_args()
    settings = [
        f"train.epochs={given.epochs}", "model.finest_stride=8", "trainer.precision=32-true", "data.workers=0",
        f"data.short_side={given.short_side}", f"data.long_side={2 * given.short_side}",
    ]  # fmt: skip
    ways: dict[str, Callable[[Path, Path, int, list[str]], Ending]] = {"own code": own_code, "YAML": pipeline}
    endings: dict[str, list[Ending]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as scratch:
        data = given.data.resolve() if given.data else generated(Path(scratch) / "welds")
        for seed in range(1, given.seeds + 1):
            for name, trained in ways.items():
                folder = Path(scratch) / f"{name}-{seed}"
                shutil.copytree(SOLUTION, folder, ignore=shutil.ignore_patterns("__pycache__", "arm-run", "prepared"))
                ending = trained(folder, data, seed, settings)
                shutil.rmtree(folder)
                endings[name].append(ending)
                print(f"seed {seed}  {name:9} loss {ending.loss:.4f}  mAP50 {ending.score:.4f}", flush=True)
    for measure in ("loss", "score"):
        print(summary(measure, *([getattr(one, measure) for one in found] for found in endings.values())))


def generated(folder: Path) -> Path:
    """Synthetic welds."""
    from assets.weld_generator import generate

    generate(folder, images=GENERATED_IMAGES, seed=7)
    return folder


def own_code(folder: Path, data: Path, seed: int, settings: list[str]) -> Ending:
    """The Hydra command line."""
    run(
        folder, "-m", "defects_in_welds.training.run_training", f"data.folder={data}", f"train.seed={seed}",
        *settings, *OWN_ONLY,
    )  # fmt: skip
    last = json.loads((folder / "metrics" / "history.json").read_text(encoding="utf-8"))["epochs"][-1]
    return Ending(last["train_loss"], last["val_mAP50"])


def pipeline(folder: Path, data: Path, seed: int, settings: list[str]) -> Ending:
    """`atp run`; its points tell how it ended."""
    given = [part for setting in settings for part in ("--set", setting)]
    run(folder, "-m", "atp.cli", "run", "train_atp.yaml", "--seed", str(seed), *given, data=data)
    lines = [
        json.loads(line)
        for path in sorted((folder / "arm-run" / "events").iterdir())
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    points = [line for line in lines if line["k"] == "point"]
    losses = [(line["e"], line["v"]) for line in points if line["name"] == "train_loss"]
    last = max(epoch for epoch, _ in losses)
    scores = [line["v"] for line in points if line["name"] == "map_50"]
    return Ending(statistics.fmean(value for epoch, value in losses if epoch == last), scores[-1])


def run(folder: Path, *argv: str, data: Path | None = None) -> None:
    """Raises SystemExit with the end of the output if the process fails."""
    environment = {**os.environ, **({"ARM_DATA_DIR": str(data)} if data else {})}
    done = subprocess.run([sys.executable, *argv], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


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
