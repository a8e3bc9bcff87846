"""What a loop costs when atp compiles it: beside a hand-written one, and the same for other engines.

Each row is a process of its own. In it a round of the engine and a round of the hand-written loop take turns; a figure
is the median over rounds of the ratio of CPU times of such a pair, with its bootstrap interval. Both train a network of
their own from the same weights on the same batches, and must end with the same weights.
`python -m benchmarks.bench_atp [ROW …]`, BENCH_ROUNDS for fewer rounds.
"""

import contextlib
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "240"))
ITERATIONS = 100
EMPTY_ITERATIONS = 10_000
WARM_UP = 5
HERE = Path(__file__).parent
Pair = tuple[float, float]

TRAINING = """
atp: 1

data: {"#bench_atp_parts.batches": }
model: {"#bench_atp_parts.model": }
crit: {"#torch.nn.CrossEntropyLoss": }
optimizer: {"#torch.optim.SGD": {0_params: "@model.parameters()", lr: 0.01}}
graph: {"#PlatformAPI.get_train_graph_logger": }
main:
  iterator: {"@data": , output: [images, labels]}
  process:
    - "@optimizer.zero_grad"
    - {"@model": $images, output: logits}
    - {"@crit": [$logits, $labels], output: loss}
    - $loss.backward
    - "@optimizer.step"
    - if: every(100)
      "@graph.log_point": {name: loss, value: $loss, epoch: 0, iter: $loop.index}
"""
EMPTY = """
atp: 1
parts: {"#bench_atp_parts.Empty": }
main:
  iterator: {"#range": 10000, output: i}
  process:
    - {"@parts.first": $i, output: a}
    - {"@parts.second": [$a, $i], output: b}
    - "@parts.third"
    - {"@parts.fourth": $b, output: c}
    - if: $c > 100000
      "@parts.third":
"""
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


class EngineMissingError(Exception):
    """A peer is not installed and could not be."""


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


def itself() -> list[Pair]:
    one, other = HandWritten(has_log=True), HandWritten(has_log=True)
    return alternating(one.round, other.round)


def built(text: str) -> Any:
    import atp

    return atp.load(Path(os.environ["BENCH_FOLDER"]) / "bench.yaml", text=text).build(seed=0)


def engine_atp() -> list[Pair]:
    pipeline, hand = built(TRAINING), HandWritten(has_log=True)
    pairs = alternating(pipeline.main, hand.round)
    must_agree(pipeline["model"], hand.model)
    return pairs


def atp_alone() -> list[Pair]:
    from bench_atp_parts import Empty

    pipeline, parts = built(EMPTY), Empty()

    def hand() -> None:
        for i in range(EMPTY_ITERATIONS):
            a = parts.first(i)
            b = parts.second(a, i)
            parts.third()
            c = parts.fourth(b)
            if c > 100000:
                parts.third()

    return alternating(pipeline.main, hand)


def lightning() -> list[Pair]:
    """An epoch of `fit` is a round; between epochs the hand-written loop has its turn."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    import torch
    from lightning import Callback, LightningModule, Trainer

    hand, other, pairs = HandWritten(), HandWritten(), []

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.crit = other.model, other.crit

        def training_step(self, batch: Any, index: int) -> Any:
            images, labels = batch
            return self.crit(self.model(images), labels)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.model.parameters(), lr=0.01)

    class Turns(Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            self.start = time.process_time()

        def on_train_epoch_end(self, *_: Any) -> None:
            theirs = time.process_time() - self.start
            pairs.append((theirs, timed(hand.round)))

    trainer = Trainer(
        accelerator="cpu", devices=1, max_epochs=WARM_UP + ROUNDS, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[Turns()],
    )  # fmt: skip
    trainer.fit(Module(), Batches(other.data))
    must_agree(other.model, hand.model)
    return pairs[WARM_UP:]


class Batches:
    """A list would mean several loaders to Lightning."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class CallbackLoop:
    """A loop with state, control flags and a list of callbacks, built as the Trainer of Hugging Face is."""

    EVENTS = ("on_step_begin", "on_pre_optimizer_step", "on_optimizer_step", "on_step_end", "on_log")

    def __init__(self, hand: HandWritten) -> None:
        self.hand = hand
        self.state = {"global_step": 0, "epoch": 0.0, "log_history": []}
        self.control = dict.fromkeys(("stop_epoch", "stop", "save", "evaluate", "log"), False)
        self.callbacks = [_FlowCallback(), _CountCallback()]

    def call(self, event: str, **values: Any) -> None:
        """Every callback may give a new control."""
        for callback in self.callbacks:
            found = getattr(callback, event)(
                self.state, self.control, model=self.hand.model, optimizer=self.hand.optimizer, **values
            )
            if found is not None:
                self.control = found

    def prepared(self, inputs: Any) -> Any:
        """Tensors of nested inputs on the device."""
        if isinstance(inputs, dict):
            return {key: self.prepared(value) for key, value in inputs.items()}
        if isinstance(inputs, list | tuple):
            return type(inputs)(self.prepared(value) for value in inputs)
        return inputs.to(device="cpu")

    def training_step(self, model: Any, inputs: Any) -> Any:
        model.train()
        inputs = self.prepared(inputs)
        with contextlib.nullcontext():
            logits = model(inputs["images"])
            loss = self.hand.crit(logits, inputs["labels"])
        loss.backward()
        return loss.detach()

    def round(self) -> None:
        import torch

        total, hand = torch.tensor(0.0), self.hand
        for step, (images, labels) in enumerate(hand.data):
            self.call("on_step_begin")
            loss = self.training_step(hand.model, {"images": images, "labels": labels})
            total += torch.where(loss.isfinite(), loss, total / (1 + step))
            self.call("on_pre_optimizer_step")
            hand.optimizer.step()
            self.call("on_optimizer_step")
            hand.model.zero_grad()
            self.state["global_step"] += 1
            self.state["epoch"] = (step + 1) / len(hand.data)
            self.call("on_step_end")
            if self.control["log"]:
                self.call("on_log", logs={"loss": float(total)})
                self.control["log"] = False
            if self.control["stop_epoch"] or self.control["stop"]:
                break


class _Callback:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda state, control, **_: None
        raise AttributeError(name)


class _FlowCallback(_Callback):
    def on_step_end(self, state: Any, control: Any, **_: Any) -> Any:
        control["log"] = state["global_step"] % 500 == 0
        return control


class _CountCallback(_Callback):
    def on_log(self, state: Any, control: Any, logs: Any, **_: Any) -> None:
        state["log_history"].append(logs)


def callbacks() -> list[Pair]:
    hand, other = HandWritten(), HandWritten()
    pairs = alternating(CallbackLoop(other).round, hand.round)
    must_agree(other.model, hand.model)
    return pairs


def monai() -> list[Pair]:
    """An epoch of MONAI's SupervisedTrainer (an engine of Ignite) is a round."""
    sys.path.append(str(installed()))
    warnings.simplefilter("ignore")
    import torch
    from ignite.engine import Events
    from monai.engines import SupervisedTrainer

    hand, other, pairs, start = HandWritten(), HandWritten(), [], [0.0]
    trainer = SupervisedTrainer(
        device=torch.device("cpu"), max_epochs=WARM_UP + ROUNDS, train_data_loader=other.data, network=other.model,
        optimizer=other.optimizer, loss_function=other.crit, decollate=False,
    )  # fmt: skip
    trainer.logger.setLevel(logging.ERROR)

    @trainer.on(Events.EPOCH_STARTED)
    def begin(_: Any) -> None:
        start[0] = time.process_time()

    @trainer.on(Events.EPOCH_COMPLETED)
    def end(_: Any) -> None:
        theirs = time.process_time() - start[0]
        pairs.append((theirs, timed(hand.round)))

    trainer.run()
    must_agree(other.model, hand.model)
    return pairs[WARM_UP:]


def installed() -> Path:
    """The folder with the peers; torch and NumPy are ours."""
    folder = Path(tempfile.gettempdir()) / "arm-bench-peers" / "engines"
    if not (folder / "installed").exists():
        uv = Path(sys.executable).with_name("uv")
        argv = [uv, "pip", "install", "--quiet", "--no-deps", "--target", folder, "-r", HERE / "atp_peers.txt"]
        result = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
        if result.returncode != 0:
            raise EngineMissingError(f"do not install: {result.stderr.strip()[-200:]}")
        (folder / "installed").touch()
    return folder


ROWS: dict[str, tuple[Callable[[], list[Pair]], int]] = {
    "hand-written against itself": (itself, ITERATIONS),
    "atp": (engine_atp, ITERATIONS),
    "atp, empty components": (atp_alone, EMPTY_ITERATIONS),
    "callbacks in the manner of Hugging Face": (callbacks, ITERATIONS),
    "Lightning Trainer": (lightning, ITERATIONS),
    "MONAI SupervisedTrainer (Ignite)": (monai, ITERATIONS),
}


def interval(ratios: list[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the median."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[49], medians[1949]


def measure(name: str) -> str:
    """One row, in this process."""
    import torch

    torch.set_num_threads(1)
    work, iterations = ROWS[name]
    pairs = work()
    ratios = [(ours / hand - 1) * 100 for ours, hand in pairs]
    low, high = interval(ratios)
    ours, hand = (statistics.median(times) / iterations * 1e6 for times in zip(*pairs, strict=True))
    return f"{name:40} {hand:9.2f} {ours:9.2f} {statistics.median(ratios):+8.2f} % ({low:+.2f} to {high:+.2f})"


def main() -> None:
    """Print a row for each engine."""
    print(f"{ROUNDS} rounds of {ITERATIONS} iterations ({EMPTY_ITERATIONS} of empty components), CPU µs an iteration")
    print(f"{'':40} {'by hand':>9} {'engine':>9}  median of ratios (95 %)", flush=True)
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as folder:
        (Path(folder) / "bench_atp_parts.py").write_text(PARTS, encoding="utf-8")
        env = {**os.environ, "BENCH_FOLDER": folder, "ARM_RUN_DIR": folder, "OMP_NUM_THREADS": "1"}
        env["PYTHONPATH"] = os.pathsep.join([folder, str(HERE.parent)])
        for name in sys.argv[1:] or ROWS:
            argv = [sys.executable, "-m", "benchmarks.bench_atp", "--row", name]
            done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True)
            shown = done.stdout if done.returncode == 0 else f"{name:40} left out: {done.stderr.strip()[-300:]}\n"
            load = os.getloadavg()[0]
            print(shown.rstrip("\n") + f"  load {load:.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        print(measure(sys.argv[2]))
    else:
        main()
