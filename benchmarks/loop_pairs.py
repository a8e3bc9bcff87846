"""The hand-written loop that engines are compared with, its data, and rounds in turns."""

import os
import random
import time
from collections.abc import Callable
from typing import Any

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "240"))
ITERATIONS = 100
WARM_UP = 5
Pair = tuple[float, float]

PARTS = """
import torch
from torch import nn

def batches():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(100, 64, 64, generator=generator)
    labels = torch.randint(0, 10, (100, 64), generator=generator)
    return list(zip(images, labels))

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

class Empty:
    def first(self, i):
        return i
    def second(self, a, i):
        return a
    def third(self):
        pass
    def fourth(self, b):
        return b
"""


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def alternating(ours: Callable[[], object], hand: Callable[[], object]) -> list[Pair]:
    """Pairs of CPU seconds; who goes first in a round is drawn."""
    rng, pairs = random.Random(0), []
    for number in range(WARM_UP + ROUNDS):
        if rng.random() < 0.5:
            first = timed(ours)
            pair = first, timed(hand)
        else:
            second = timed(hand)
            pair = timed(ours), second
        if number >= WARM_UP:
            pairs.append(pair)
    return pairs


class HandWritten:
    """The loop as one writes it in PyTorch."""

    def __init__(self, has_log: bool = False) -> None:
        import torch
        from bench_atp_parts import batches, model

        self.data, self.model, self.crit = batches(), model(), torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.graph = platform_graph() if has_log else None

    def round(self) -> None:
        model, crit, optimizer, graph = self.model, self.crit, self.optimizer, self.graph
        for index, (images, labels) in enumerate(self.data):
            optimizer.zero_grad()
            logits = model(images)
            loss = crit(logits, labels)
            loss.backward()
            optimizer.step()
            if graph is not None and index % 100 == 0:
                graph.log_point(name="loss", value=loss, epoch=0, iter=index)


def platform_graph() -> Any:
    import PlatformAPI

    return PlatformAPI.get_train_graph_logger()


def must_agree(one: Any, other: Any) -> None:
    """Both did the same work."""
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        if not left.allclose(right, rtol=1e-3, atol=1e-5):
            raise AssertionError("the two loops ended with different weights: they did not do the same work")
