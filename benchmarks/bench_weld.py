"""weld_defects beside yolov8n and torchvision's mobilenet-320 Faster R-CNN from scratch: the same wall time for each.

    python -m benchmarks.bench_weld --data ../shared/data/weld-leak-water --minutes 10 --threads 2
    python -m benchmarks.bench_weld --only ours --minutes 0 --threads 1 train.epochs=4 train.ema_decay=0.998

Each detector trains in a process of its own, one after another or (--at-once) together, keeps its best weights by mAP
of the validation split, and is scored on the test split by one evaluator, the solution's coco_scores. Ours runs by its
Hydra command line in a copy of its folder; what stands at the end of the line is handed to it. torchvision's network
is trained by the same code with the same recipe: only the network and its start differ. yolov8n has Ultralytics' own
defaults, at the size at which it sees as many pixels of an image as ours. Without --data both real sets are taken.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOLUTION = HERE.parent / "solutions" / "weld_defects"
REAL_DATA = HERE.parents[1] / "shared" / "data"
PEERS = Path(tempfile.gettempdir()) / "arm-bench-peers" / "weld"
TORCHVISION = ["model.name=mobilenet_v3_large_320_fpn", "model.is_pretrained=false"]
NAN = float("nan")
NOT_COPIED = ("__pycache__", "data", "prepared", "export", "checkpoints", "metrics", "logs", "mlartifacts", ".dvc*")


@dataclass
class Job:
    """One detector on one data set, in its own folder."""

    detector: str
    data: Path
    folder: Path
    minutes: float
    threads: int
    seed: int
    overrides: list[str]
    row: dict[str, Any] = field(default_factory=dict)


def start(job: Job, argv: list[Any], folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """A process with as many threads as the job has; its output goes to a file."""
    threads = {name: str(job.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    log = (job.folder / "log.txt").open("ab")
    with log:
        return subprocess.Popen(
            list(map(str, argv)), cwd=folder, env={**os.environ, **threads, **environment}, stdout=log, stderr=log
        )


def finish(job: Job, process: subprocess.Popen[bytes]) -> float:
    """Wait; CPU seconds of the process and its children. Raises RuntimeError with the end of its output."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{job.detector} failed:\n{(job.folder / 'log.txt').read_text(errors='replace')[-1500:]}")
    return usage.ru_utime + usage.ru_stime


class OwnCode:
    """Ours and torchvision's network: the solution's command line, its ONNX file."""

    def __init__(self, job: Job) -> None:
        self.job, self.copy = job, job.folder / "solution"

    def start(self) -> subprocess.Popen[bytes]:
        job = self.job
        shutil.copytree(SOLUTION, self.copy, ignore=lambda folder, names: ignored(Path(folder), names))
        overrides = [
            f"data.folder={job.data}", f"data.workers={job.threads - 1}", f"train.seed={job.seed}",
            "trainer.accelerator=cpu", "logging.mlflow=false", "logging.tensorboard=false", "data.language=en",
        ]  # fmt: skip
        if job.minutes:
            overrides += [f"train.max_minutes={job.minutes}", "train.epochs=10000"]
        overrides += TORCHVISION if job.detector == "torchvision" else []
        argv = [sys.executable, "-m", "defects_in_welds.training.run_training", *overrides, *job.overrides]
        return start(job, argv, self.copy)

    def trained(self) -> dict[str, Any]:
        history = json.loads((self.copy / "metrics" / "history.json").read_text(encoding="utf-8"))
        rates = [one["images_per_s"] for one in history["epochs"]]
        # The last epoch may be a short one.
        whole = rates[:-1] or rates
        return {
            "epochs": len(rates), "train_images_per_s": sum(whole) / len(whole),
            "val_map50": history["best"]["val_mAP50"], "val_map": history["best"]["val_mAP"],
            "val_by_epoch": [one["val_mAP"] for one in history["epochs"]],
        }  # fmt: skip

    def answers(self, samples: list[Any]) -> list[dict[str, Any]]:
        """The time counts from decoded pixels to boxes."""
        import numpy as np
        from defects_in_welds.data.image_files import read_rgb, read_scale, shrink_factor
        from defects_in_welds.export.engines import OnnxEngine, TorchEngine

        onnx = self.copy / "export" / "weld_defects.onnx"
        checkpoint = self.copy / "checkpoints" / "best_model.ckpt"
        engine = OnnxEngine(onnx, self.job.threads) if onnx.is_file() else TorchEngine(checkpoint)
        found, seconds = [], 0.0
        for sample in [samples[0], *samples]:  # the first call of all warms up
            factor = shrink_factor(sample.size, *engine.sides)
            image = np.asarray(read_rgb(sample.image_path, factor))
            begin = time.monotonic()
            answer = engine.find(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32) / np.float32(255))
            seconds += time.monotonic() - begin if found else 0.0
            scale = np.array(read_scale(sample.size, factor), dtype=np.float32)
            found.append({**answer, "boxes": answer["boxes"] / scale})
        self.job.row["predict_images_per_s"] = (len(samples) - 1) / seconds
        return found[1:]


class Yolo:
    """yolov8n from its yaml, in Ultralytics' own process."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def run(self, what: str, **wanted: Any) -> subprocess.Popen[bytes]:
        folder = self.job.folder
        config = folder / "config"
        config.mkdir(exist_ok=True)
        # It would look for this font on the net.
        import matplotlib

        font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
        shutil.copy(font, config / "Arial.ttf")
        (config / "Ultralytics").mkdir(exist_ok=True)
        shutil.copy(font, config / "Ultralytics" / "Arial.ttf")
        (folder / f"{what}.wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
        argv = [sys.executable, HERE / "weld_yolo.py", what, folder / f"{what}.wanted.json", folder]
        environment = {"YOLO_CONFIG_DIR": str(config), "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
        return start(self.job, argv, folder, PYTHONPATH=str(installed()), **environment)

    def start(self) -> subprocess.Popen[bytes]:
        import yaml
        from defects_in_welds.data.yolo_folder import SPLITS, read_yolo_folder

        job = self.job
        # A copy: Ultralytics writes caches beside the labels.
        shutil.copytree(job.data, job.folder / "data")
        splits = {split: next(n for n in names if (job.data / n).is_dir()) for split, names in SPLITS.items()}
        known = {"path": str(job.folder / "data"), "names": dict(enumerate(read_yolo_folder(job.data).classes))}
        known |= {"train": f"{splits['train']}/images", "val": f"{splits['valid']}/images"}
        (job.folder / "data.yaml").write_text(yaml.safe_dump(known, allow_unicode=True), encoding="utf-8")
        job.row["size"] = self.size = yolo_size(job.data)
        return self.run("train", data=str(job.folder / "data.yaml"), minutes=job.minutes, size=self.size, seed=job.seed)

    def trained(self) -> dict[str, Any]:
        import csv

        found = json.loads((self.job.folder / "train.json").read_text(encoding="utf-8"))
        with (self.job.folder / "run" / "results.csv").open(encoding="utf-8") as file:
            rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
        scores = [(float(row["metrics/mAP50-95(B)"]), float(row["metrics/mAP50(B)"])) for row in rows]
        best = max(scores)
        return {**found, "val_map50": best[1], "val_map": best[0], "val_by_epoch": [round(one, 4) for one, _ in scores]}

    def answers(self, samples: list[Any]) -> list[dict[str, Any]]:
        finish(self.job, self.run("predict", images=[str(one.image_path) for one in samples], size=self.size))
        found = json.loads((self.job.folder / "predict.json").read_text(encoding="utf-8"))
        self.job.row |= {key: found[key] for key in ("predict_images_per_s", "predict_rates")}
        return found["answers"]


DETECTORS: dict[str, Callable[[Job], OwnCode | Yolo]] = {"ours": OwnCode, "torchvision": OwnCode, "yolov8n": Yolo}


def ignored(folder: Path, names: list[str]) -> set[str]:
    """What a training leaves in the solution's folder; its packages named data and export stay."""
    return shutil.ignore_patterns(*(NOT_COPIED if folder == SOLUTION else NOT_COPIED[:1]))(str(folder), names)


def installed() -> Path:
    """The folder with Ultralytics; torch, torchvision and NumPy are ours."""
    if not (PEERS / "installed").exists():
        uv = Path(sys.executable).with_name("uv")
        argv = [uv, "pip", "install", "--quiet", "--no-deps", "--target", PEERS, "-r", HERE / "weld_peers.txt"]
        subprocess.run(list(map(str, argv)), check=True)
        (PEERS / "installed").touch()
    return PEERS


def yolo_size(data: Path) -> int:
    """Long side, a multiple of 32, at which the middle training image has as many pixels as ours gives it."""
    from defects_in_welds.data.yolo_folder import read_yolo_folder
    from omegaconf import OmegaConf

    ours = OmegaConf.load(SOLUTION / "configs" / "params.yaml").data
    sizes = sorted(sample.size for sample in read_yolo_folder(data).samples["train"])
    short, long = sorted(sizes[len(sizes) // 2])
    return max(32, round(min(ours.short_side * long / short, ours.long_side) / 32) * 32)


def score(job: Job, detector: OwnCode | Yolo) -> None:
    """Test split: mAP by the solution's evaluator."""
    import torch
    from defects_in_welds.data.yolo_folder import read_yolo_folder
    from defects_in_welds.evaluation.coco_scores import coco_scores

    torch.set_num_threads(job.threads)
    data = read_yolo_folder(job.data)
    samples = data.samples["test"]
    tensors = [
        {
            "boxes": torch.as_tensor(one["boxes"], dtype=torch.float32).reshape(-1, 4),
            "scores": torch.as_tensor(one["scores"], dtype=torch.float32),
            "labels": torch.as_tensor(one["labels"], dtype=torch.int64),
        }
        for one in detector.answers(samples)
    ]
    truths = [
        {"boxes": torch.tensor(one.boxes).reshape(-1, 4), "labels": torch.tensor(one.labels, dtype=torch.int64)}
        for one in samples
    ]
    scores = coco_scores(tensors, truths, len(data.classes))
    job.row |= {"test_map50": scores.map50, "test_map": scores.map}


def run(jobs: list[Job], log: Path | None, is_tested: bool = True) -> None:
    """Train the jobs together, then score them one after another; a line of the table each."""
    detectors = [DETECTORS[job.detector](job) for job in jobs]
    load, begin = os.getloadavg()[0], time.monotonic()
    processes = [detector.start() for detector in detectors]
    for job, process in zip(jobs, processes, strict=True):
        job.row["cpu_s"] = round(finish(job, process))
        job.row["wall_s"] = round(time.monotonic() - begin)
    for job, detector in zip(jobs, detectors, strict=True):
        job.row |= {"test_map50": NAN, "test_map": NAN, "predict_images_per_s": NAN, **detector.trained()}
        if is_tested:
            score(job, detector)
        row = job.row
        job.row |= {"load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1)}
        print(
            f"{job.data.name:16} {job.detector:12} {row['test_map50']:8.3f} {row['test_map']:8.3f} "
            f"{row['val_map50']:8.3f} {row['val_map']:8.3f} {row['epochs']:7} {row['train_images_per_s']:9.1f} "
            f"{row['predict_images_per_s']:9.1f} {row['cpu_s']:7} {row['wall_s']:7}  "
            f"load {load:.1f} to {row['load_after']}",
            flush=True,
        )
        if log:
            known = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(job).items()}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**known.pop("row"), **known}) + "\n")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_weld")
    parser.add_argument("--data", type=Path, action="append", help="a YOLO folder; may be given more than once")
    parser.add_argument("--minutes", type=float, default=2.0, help="of training, each; 0: ours by train.epochs")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=list(DETECTORS), action="append")
    parser.add_argument("--at-once", action="store_true", help="train all of a data set together")
    parser.add_argument(
        "--no-test", action="store_true", help="leave the test split alone, as a choice of settings must"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder of what the trainings leave; else it is removed")
    parser.add_argument("--log", type=Path, help="JSON lines are added to this file")
    parser.add_argument("overrides", nargs="*", help="settings of the solution, e.g. train.ema_decay=0.998")
    given = parser.parse_args()
    sys.path.insert(0, str(SOLUTION))
    sets = given.data or [path for name in ("weld-leak-water", "weld-bead-voc") if (path := REAL_DATA / name).is_dir()]
    if not sets:
        print("no data: give --data a YOLO folder, {train,valid,test}/{images,labels} and data.yaml")
        return
    print(
        f"{given.minutes:g} minutes of training each, {given.threads} threads; "
        f"ours: {' '.join(given.overrides) or 'defaults'}"
    )
    print(f"{'':16} {'':12} {'test':>17} {'validation':>17} {'':7} {'images/s':>19} {'training':>15}")
    heads = ("mAP50", "mAP", "mAP50", "mAP", "epochs", "train", "predict", "CPU s", "wall s")
    print(
        f"{'data':16} {'detector':12} "
        + " ".join(f"{h:>{w}}" for h, w in zip(heads, (8, 8, 8, 8, 7, 9, 9, 7, 7), strict=True))
    )
    with tempfile.TemporaryDirectory(prefix="arm-bench-weld-") as scratch:
        for data in sets:
            jobs = []
            for name in given.only or DETECTORS:
                folder = (given.keep or Path(scratch)).resolve() / data.name / name
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                jobs.append(
                    Job(name, data.resolve(), folder, given.minutes, given.threads, given.seed, given.overrides)
                )
            for together in [jobs] if given.at_once else [[job] for job in jobs]:
                run(together, given.log, not given.no_test)


if __name__ == "__main__":
    main()
