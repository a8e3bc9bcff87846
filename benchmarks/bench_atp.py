"""What a loop costs when atp compiles it: beside a hand-written one, and the same for other engines.

Each row is a process of its own. In it a round of the engine and a round of the hand-written loop take turns; a figure
is the median over rounds of the ratio of CPU times of such a pair, with its bootstrap interval. Both train a network of
their own from the same weights on the same batches, and must end with the same weights.
`python -m benchmarks.bench_atp [ROW …]`, BENCH_ROUNDS for fewer rounds.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.loop_engines import callbacks, lightning, monai
from benchmarks.loop_pairs import ITERATIONS, PARTS, ROUNDS, HandWritten, Pair, alternating, must_agree

EMPTY_ITERATIONS = 10_000
HERE = Path(__file__).parent

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
