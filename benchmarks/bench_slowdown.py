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

ROUNDS = {32: int(os.environ.get("ARM_BENCH_ROUNDS", "12000")), 64: int(os.environ.get("ARM_BENCH_ROUNDS", "3000"))}
"""By the side of the images. A short step says most exactly what a point costs; the longer one is what is asked for."""
RESAMPLES = 2000
WANTED = 0.01
KINDS = ("nothing", "again nothing", "one point a step")
Interval = tuple[float, float, float]


def main() -> None:
    """Print the slowdown of both steps with its interval, that of nothing against nothing, and what this proves."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARM_RUN_DIR"] = folder
        cost_us: Interval | None = None
        for side, rounds in ROUNDS.items():
            seconds = measure(training_step(side), rounds)
            step_ms = statistics.median(seconds[KINDS[0]]) * 1000
            print(f"{side} x {side}: CPU of a step without logging {step_ms:.2f} ms, {rounds} rounds")
            for kind in KINDS[1:]:
                print(f"    {kind:18} {shown(slowdown(seconds[KINDS[0]], seconds[kind]), '%', 100)}")
            found = slowdown(seconds[KINDS[0]], seconds[KINDS[2]])
            cost_us = cost_us or (found[0] * step_ms * 1000, found[1] * step_ms * 1000, found[2] * step_ms * 1000)
        assert cost_us is not None
        print(f"a point between two steps costs, from the short ones, {shown(cost_us, ' µs', 1)} of CPU")
        shares = (cost_us[0] / step_ms / 1000, cost_us[1] / step_ms / 1000, cost_us[2] / step_ms / 1000)
        verdict = "under" if shares[2] < WANTED else "over" if shares[1] > WANTED else "not decided against"
        print(f"of a step of {step_ms:.2f} ms that is {shown(shares, '%', 100)}: {verdict} {WANTED:.0%}")


def shown(found: Interval, unit: str, scale: float) -> str:
    """Median and 95 % interval as text."""
    middle, low, high = (number * scale for number in found)
    return f"{middle:+.2f}{unit} (95 % between {low:+.2f} and {high:+.2f})"


def measure(step: Callable[[], float], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of the process for each step, by kind, in the order of the rounds."""
    import PlatformAPI

    graph = PlatformAPI.get_train_graph_logger()
    for number in range(50):
        graph.log_point("loss", step(), 0, number)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    chance = random.Random(1)
    for number in range(rounds):
        for kind in chance.sample(KINDS, len(KINDS)):
            is_logging = kind == KINDS[2]
            started = time.process_time()
            loss = step()
            if is_logging:
                graph.log_point("loss", loss, 0, number)
            seconds[kind].append(time.process_time() - started)
    return seconds


def slowdown(plain: list[float], other: list[float]) -> Interval:
    """Median over rounds of other / plain - 1, and its 95 % bootstrap interval."""
    ratios = np.array(other) / np.array(plain) - 1
    chance = np.random.default_rng(1)
    medians = [np.median(chance.choice(ratios, len(ratios))) for _ in range(RESAMPLES)]
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


def training_step(side: int) -> Callable[[], float]:
    """One step of a small CNN on the CPU, on a batch of 8 images of `side` x `side` pixels."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.randn(8, 3, side, side), torch.randint(0, 4, (8,))

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
