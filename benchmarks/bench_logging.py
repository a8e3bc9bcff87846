"""What one training point costs its caller: PlatformAPI beside TensorBoard and a plain JSON line, and the SDK's import.

Rounds alternate between the loggers within one run, so a busy machine slows all of them alike: trust the ratios.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROUNDS = 10
POINTS_PER_ROUND = 10_000
IMPORT_ROUNDS = 15

Log = Callable[[float, int], object]


def main() -> None:
    """Print the table and the import times."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        found = loggers(Path(folder), opened)
        show_points(measure_points(found))
        show_worst(found)
    show_imports()


def loggers(folder: Path, opened: ExitStack) -> dict[str, Log]:
    """Each logs one value at one iteration; all keep their default buffering and are closed with `opened`."""
    os.environ["ARM_RUN_DIR"] = str(folder)
    import PlatformAPI

    platform = PlatformAPI.get_train_graph_logger()
    plain = opened.enter_context((folder / "plain.jsonl").open("a", encoding="utf-8"))

    def log_plain(value: float, i: int) -> None:
        plain.write(json.dumps({"t": time.time(), "name": "loss", "v": value, "e": 0, "i": i}) + "\n")

    found: dict[str, Log] = {
        "PlatformAPI (in the file at return)": lambda value, i: platform.log_point("loss", value, 0, i),
        "open().write of a JSON line (buffered)": log_plain,
    }
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("TensorBoard is not installed: left out")
    else:
        board = opened.enter_context(SummaryWriter(str(folder / "tensorboard")))
        found["TensorBoard SummaryWriter (queued)"] = lambda value, i: board.add_scalar("loss", value, i)
    return found


def measure_points(found: dict[str, Log]) -> dict[str, tuple[list[float], list[float]]]:
    """Per logger: the process's CPU µs a point of each round (its threads included), and wall µs of every call."""
    results: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in found}
    for log in found.values():
        for i in range(1000):
            log(0.5, i)
    for number in range(ROUNDS):
        for name, log in found.items():
            walls = []
            cpu = time.process_time()
            for i in range(POINTS_PER_ROUND):
                start = time.perf_counter_ns()
                log(i / 7, number * POINTS_PER_ROUND + i)
                walls.append((time.perf_counter_ns() - start) / 1000)
            results[name][0].append((time.process_time() - cpu) / POINTS_PER_ROUND * 1e6)
            results[name][1].extend(walls)
    return results


def show_points(results: dict[str, tuple[list[float], list[float]]]) -> None:
    """One row a logger; the last column compares its CPU with PlatformAPI's, round by round."""
    print(
        f"{ROUNDS * POINTS_PER_ROUND} points each, {ROUNDS} alternating rounds; µs a point (CPU includes timing itself)"
    )
    print(f"{'':40} {'CPU':>7} {'wall':>7} {'p99':>7} {'worst':>9} {'points/s':>9} {'CPU ratio':>9}")
    ours = next(iter(results.values()))[0]
    for name, (cpus, walls) in results.items():
        walls.sort()
        ratio = statistics.median(cpu / our for cpu, our in zip(cpus, ours, strict=True))
        print(
            f"{name:40} {statistics.median(cpus):7.2f} {statistics.median(walls):7.2f} "
            f"{walls[int(len(walls) * 0.99)]:7.2f} {walls[-1]:9.1f} {1e6 / statistics.fmean(walls):9.0f} {ratio:9.2f}"
        )


def show_worst(found: dict[str, Log]) -> None:
    """The worst call by the CPU time of the caller: what of the worst wall time is the logger's, not the machine's."""
    for name, log in found.items():
        worst_ns = 0
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        for i in range(ROUNDS * POINTS_PER_ROUND):
            start = time.thread_time_ns()
            log(i / 7, i)
            worst_ns = max(worst_ns, time.thread_time_ns() - start)
        pushed_aside = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before
        print(f"{name:40} worst call {worst_ns / 1000:7.1f} µs of CPU; put aside by the machine {pushed_aside} times")


def show_imports() -> None:
    """Fresh interpreters, alternating: bare, with the SDK's import, and with its first call as well."""
    codes = {
        "bare interpreter": "pass",
        "import PlatformAPI": "import PlatformAPI",
        "import + first call": "import PlatformAPI; PlatformAPI.get_logger()",
    }
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "ARM_RUN_DIR": folder}
        walls: dict[str, list[float]] = {name: [] for name in codes}
        for _ in range(IMPORT_ROUNDS):
            for name, code in codes.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], check=True, env=env)
                walls[name].append((time.perf_counter() - start) * 1000)
    bare = walls["bare interpreter"]
    for name, times in walls.items():
        extra = statistics.median(t - b for t, b in zip(times, bare, strict=True))
        ratio = statistics.median(t / b for t, b in zip(times, bare, strict=True))
        print(f"{name:40} {statistics.median(times):7.1f} ms  {extra:+7.1f} ms  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
