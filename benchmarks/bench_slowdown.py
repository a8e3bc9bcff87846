"""How much one logged point a step slows a training: a small CNN on the CPU, steps with and without logging in turn.

Both kinds of steps alternate in blocks within one process and one model, and CPU time is compared block by block, so
that neither the machine's load nor the model's age can take sides. A third kind logs nothing either: its difference
from the first is the noise of the method.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable

BLOCKS = 90
STEPS_A_BLOCK = 5
WANTED = 0.01


def main() -> None:
    """Print the slowdown, its noise, and whether it is under one percent."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARM_RUN_DIR"] = folder
        import PlatformAPI

        graph = PlatformAPI.get_train_graph_logger()
        step = training_step()
        for _ in range(20):
            step()
        seconds: dict[str, list[float]] = {"nothing": [], "again nothing": [], "one point a step": []}
        number = 0
        for block in range(BLOCKS):
            kinds = list(seconds)
            for kind in kinds[block % 3 :] + kinds[: block % 3]:
                is_logging = kind == "one point a step"
                started = time.process_time()
                for _ in range(STEPS_A_BLOCK):
                    loss = step()
                    if is_logging:
                        graph.log_point("loss", loss, 0, number)
                        number += 1
                seconds[kind].append((time.process_time() - started) / STEPS_A_BLOCK)
    plain = seconds["nothing"]
    print(f"CPU of a step without logging: {statistics.median(plain) * 1000:.2f} ms   ({number} points logged)")
    for kind in ("again nothing", "one point a step"):
        ratios = sorted(other / own for own, other in zip(plain, seconds[kind], strict=True))
        middle = statistics.median(ratios) - 1
        error = 1.25 * statistics.stdev(ratios) / BLOCKS**0.5
        verdict = "" if kind != "one point a step" else f"   wanted: under {WANTED:.0%}"
        print(f"{kind:18} {middle:+.2%} ± {error:.2%}{verdict}")


def training_step() -> Callable[[], float]:
    """One step of a small CNN on a batch of 8 images of 64 x 64, as a training of thumbnails would have."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randn(8, 3, 64, 64), torch.randint(0, 4, (8,))

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
