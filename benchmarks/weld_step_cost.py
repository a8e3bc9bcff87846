"""What a training step and a prediction of weld_defects cost, in CPU time of one thread: settings beside each other.

    python -m benchmarks.weld_step_cost                              a few settings, each beside the defaults
    python -m benchmarks.weld_step_cost model.frozen_stages=4        this one beside the defaults

Four images of 480 x 480 made of noise with three boxes each; loading and augmentation are not in it.
"""

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch

SOLUTION = Path(__file__).parents[1] / "solutions" / "weld_defects"
IMAGES, STEPS = 4, 4
TRIED = ("", "trainer.precision=32-true", "model.finest_stride=8", "model.box_samples=64", "model.frozen_stages=4")


def cost_ms(overrides: list[str]) -> tuple[float, float]:
    """CPU milliseconds an image: of a step (forward, backward, AdamW) and of a prediction."""
    from defects_in_welds.model.detector import WeldDetector
    from defects_in_welds.training.fit import chosen_precision, detector_settings
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(SOLUTION / "configs"), version_base=None):
        config = compose("params", ["trainer.accelerator=cpu", *overrides])
    has_bfloat16 = chosen_precision(config.trainer) == "bf16-mixed"
    torch.manual_seed(0)
    detector = WeldDetector(["pore", "crack"], detector_settings(config))
    optimizer = torch.optim.AdamW([one for one in detector.parameters() if one.requires_grad], 1e-5)
    images = [torch.rand(3, 480, 480) for _ in range(IMAGES)]
    corners = [torch.rand(3, 2) * 300 for _ in images]
    targets = [
        {"boxes": torch.cat([corner, corner + torch.rand(3, 2) * 100 + 20], 1), "labels": torch.tensor([0, 1, 1])}
        for corner in corners
    ]

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16):
            loss = sum(detector(images, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def predict() -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16):
            detector(images)

    step()
    trained = measured(step)
    detector.eval()
    predict()
    return trained, measured(predict)


def measured(work: Any) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        work()
    return (time.process_time() - start) / STEPS / IMAGES * 1000


def main() -> None:
    """A line for each setting, the defaults first."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(SOLUTION))
    torch.set_num_threads(1)
    print(f"{'CPU ms an image':40} {'training':>9} {'prediction':>11}")
    for override in ["", *sys.argv[1:]] if sys.argv[1:] else TRIED:
        trained, predicted = cost_ms([override] if override else [])
        print(f"{override or 'defaults':40} {trained:9.0f} {predicted:11.0f}", flush=True)


if __name__ == "__main__":
    main()
