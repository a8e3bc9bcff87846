"""How much one logged point a step slows a training: a small CNN on the CPU, steps with and without logging in turn.

A round is three steps of one model in one process, in random order: one with a point, two without. The CPU time of the
process, all its threads included, is compared within the round, so neither the machine's load nor the model's age can
take sides. The two steps without a point are compared as well: that is the noise of the method. The interval is a
bootstrap of the median over rounds.
"""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

ROUNDS = int(os.environ.get("ARM_BENCH_ROUNDS", "16000"))
RESAMPLES = 4000
WANTED = 0.01
KINDS = ("nothing", "again nothing", "one point a step")


def main() -> None:
    """Print the slowdown with its interval, that of nothing against nothing, and what this proves."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARM_RUN_DIR"] = folder
        import PlatformAPI

        graph = PlatformAPI.get_train_graph_logger()
        step = training_step()
        for number in range(50):
            graph.log_point("loss", step(), 0, number)
        seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
        chance = random.Random(1)
        for number in range(ROUNDS):
            for kind in chance.sample(KINDS, len(KINDS)):
                is_logging = kind == KINDS[2]
                started = time.process_time()
                loss = step()
                if is_logging:
                    graph.log_point("loss", loss, 0, number)
                seconds[kind].append(time.process_time() - started)
    plain = seconds[KINDS[0]]
    print(f"CPU of a step without logging: {statistics.median(plain) * 1000:.2f} ms, {ROUNDS} rounds")
    for kind in KINDS[1:]:
        middle, low, high = slowdown(plain, seconds[kind])
        print(f"{kind:18} {middle:+.2%}, 95 % between {low:+.2%} and {high:+.2%}")
    verdict = (
        "under" if high < WANTED else "over" if low > WANTED else "not decided: more rounds are needed, wanted under"
    )
    print(f"one point a step is {verdict} {WANTED:.0%}")


def slowdown(plain: list[float], other: list[float]) -> tuple[float, float, float]:
    """Median over rounds of other / plain - 1, and its 95 % bootstrap interval."""
    ratios = np.array(other) / np.array(plain) - 1
    chance = np.random.default_rng(1)
    medians = [np.median(chance.choice(ratios, len(ratios))) for _ in range(RESAMPLES)]
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


def training_step() -> Callable[[], float]:
    """One step of a small CNN on 8 images of 32 x 32: a short one, so that a point weighs more than it usually does."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randn(8, 3, 32, 32), torch.randint(0, 4, (8,))

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
