"""Ultralytics' yolov8n in a process of its own: `train` or `predict`, told by a JSON file. See bench_weld.py.

Nothing of ours is imported here, and nobody imports this file: Ultralytics is AGPL-3.0.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from ultralytics import YOLO, settings

# As its own validation does.
PREDICT = {"conf": 0.001, "iou": 0.7, "max_det": 300, "verbose": False, "device": "cpu"}


def train(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """From the yaml, without any weights, with its own defaults; only size, batch, time and seed are told."""
    clock = {"start": 0.0, "s": 0.0, "images": 0, "epochs": 0}

    def begin(_: Any) -> None:
        clock["start"] = time.monotonic()

    def end(trainer: Any) -> None:
        clock["s"] += time.monotonic() - clock["start"]
        clock["epochs"] += 1

    def count(trainer: Any) -> None:
        clock["images"] += trainer.batch_size

    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_epoch_start", begin)
    model.add_callback("on_train_batch_end", count)
    model.add_callback("on_train_epoch_end", end)
    model.train(
        data=given["data"], time=given["minutes"] / 60, imgsz=given["size"], batch=16, seed=given["seed"],
        pretrained=False, device="cpu", workers=0, plots=False, project=str(folder), name="run", exist_ok=True,
    )  # fmt: skip
    return {"epochs": clock["epochs"], "train_images_per_s": clock["images"] / clock["s"]}


def predict(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Boxes of every image from PyTorch, and the speed of PyTorch and of its own ONNX export."""
    import cv2

    best = folder / "run" / "weights" / "best.pt"
    images = [cv2.imread(path) for path in given["images"]]
    answers, rates = [], {}
    for name in ("torch", "onnx"):
        if name == "onnx":
            file = YOLO(best).export(format="onnx", imgsz=given["size"], simplify=False, dynamic=True)
            model = YOLO(file, task="detect")
        else:
            model = YOLO(best)
        # Its first call builds and warms up.
        model.predict(images[0], imgsz=given["size"], **PREDICT)
        start = time.monotonic()
        found = [model.predict(image, imgsz=given["size"], **PREDICT)[0].boxes for image in images]
        rates[name] = len(images) / (time.monotonic() - start)
        if name == "torch":
            answers = [
                {"boxes": one.xyxy.tolist(), "scores": one.conf.tolist(), "labels": one.cls.int().tolist()}
                for one in found
            ]
    return {"answers": answers, "predict_images_per_s": max(rates.values()), "predict_rates": rates}


def limit_threads(count: int) -> None:
    """Its own choice on a CPU is one thread less than there are cores, and all cores for ONNX Runtime."""
    import onnxruntime
    from ultralytics.utils import torch_utils

    make_options = onnxruntime.SessionOptions

    def options() -> Any:
        made = make_options()
        made.intra_op_num_threads = count
        return made

    torch_utils.NUM_THREADS = count
    torch.set_num_threads(count)
    onnxruntime.SessionOptions = options


def main() -> None:
    """argv: train or predict, a JSON file of what is wanted, the folder of the detector."""
    what, wanted, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    # No report to its makers, and none of the trackers that happen to be installed: they cost it time.
    settings.update({"sync": False, **dict.fromkeys(("mlflow", "tensorboard", "wandb", "clearml", "raytune"), False)})
    limit_threads(int(os.environ["OMP_NUM_THREADS"]))
    given = json.loads(wanted.read_text(encoding="utf-8"))
    done = train(given, folder) if what == "train" else predict(given, folder)
    (folder / f"{what}.json").write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    main()
