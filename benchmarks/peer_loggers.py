"""One logger in a process of its own, the same script for each.

`python peer_loggers.py <logger> <folder> <points> <mode>`: mode `log` logs and closes; `kill` logs and kills itself
with SIGKILL when the last call has returned; `count` says how many points can be read. The answer is a line of JSON.
Nothing but the standard library and the logger is imported: the logger's environment holds nothing else.
"""

import json
import os
import signal
import sqlite3
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Log = Callable[[float, int], object]
Close = Callable[[], object]
BATCH = 1000


def open_platformapi(folder: Path) -> tuple[Log, Close]:
    os.environ["ARM_RUN_DIR"] = str(folder)
    import PlatformAPI

    graph = PlatformAPI.get_train_graph_logger()
    return (lambda value, i: graph.log_point("loss", value, 0, i)), (lambda: None)


def count_platformapi(folder: Path) -> int:
    return sum(b'"k":"point"' in line for path in folder.glob("events/*.jsonl") for line in path.open("rb"))


def open_tensorboard(folder: Path) -> tuple[Log, Close]:
    from torch.utils.tensorboard import SummaryWriter

    board = SummaryWriter(str(folder))
    return (lambda value, i: board.add_scalar("loss", value, i)), board.close


def count_tensorboard(folder: Path) -> int:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return len(found.Scalars("loss")) if "loss" in found.Tags()["scalars"] else 0


def open_mlflow(folder: Path) -> tuple[Log, Close]:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.start_run()
    return (lambda value, i: mlflow.log_metric("loss", value, step=i)), mlflow.end_run


def open_mlflow_batched(folder: Path) -> tuple[Log, Close]:
    import mlflow
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    run_id = mlflow.start_run().info.run_id
    client, waiting = mlflow.MlflowClient(), []

    def flush() -> None:
        client.log_batch(run_id, metrics=waiting)
        waiting.clear()

    def log(value: float, i: int) -> None:
        waiting.append(Metric("loss", value, int(time.time() * 1000), i))
        if len(waiting) == BATCH:
            flush()

    def close() -> None:
        flush()
        mlflow.end_run()

    return log, close


def count_mlflow(folder: Path) -> int:
    return _rows(folder / "mlflow.db", "metrics")


def open_aim(folder: Path) -> tuple[Log, Close]:
    from aim import Run

    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
    (folder / "hash").write_text(run.hash)
    return (lambda value, i: run.track(value, name="loss", step=i)), run.close


def open_wandb(folder: Path) -> tuple[Log, Close]:
    import wandb

    settings = wandb.Settings(console="off", x_disable_stats=True, silent=True)
    run = wandb.init(mode="offline", dir=str(folder), project="bench", settings=settings)
    return (lambda value, i: run.log({"loss": value}, step=i)), run.finish


def count_wandb(folder: Path) -> int:
    from wandb.proto import wandb_internal_pb2

    found = 0
    for path in folder.rglob("run-*.wandb"):
        for data in _leveldb_records(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            found += record.HasField("history")
    return found


def _leveldb_records(content: bytes) -> Iterator[bytes]:
    """Whole records of a LevelDB log: blocks of 32 KiB; a record is crc, length, type (full, first, middle, last)."""
    position, parts, block = 7, [], 32768
    while position + 7 <= len(content):
        if block - position % block < 7:
            position += block - position % block
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        data = content[position + 7 : position + 7 + length]
        if kind not in (1, 2, 3, 4) or len(data) < length:
            return
        parts = [data] if kind in (1, 2) else [*parts, data]
        if kind in (1, 4):
            yield b"".join(parts)
        position += 7 + length


def open_clearml(folder: Path) -> tuple[Log, Close]:
    os.environ["CLEARML_CACHE_DIR"] = str(folder)
    os.environ["CLEARML_OFFLINE_MODE"] = "1"
    from clearml import Task

    task = Task.init(
        "bench", "bench", auto_connect_frameworks=False, auto_resource_monitoring=False, auto_connect_streams=False
    )
    logger = task.get_logger()
    return (lambda value, i: logger.report_scalar("loss", "loss", value, i)), task.close


def count_clearml(folder: Path) -> int:
    found = 0
    for path in folder.rglob("metrics.jsonl"):
        for line in path.open("rb"):
            try:
                found += len(json.loads(line))
            except ValueError:
                break
    return found


def open_trackio(folder: Path) -> tuple[Log, Close]:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio

    trackio.init(project="bench", embed=False)
    return (lambda value, i: trackio.log({"loss": value}, step=i)), trackio.finish


def count_trackio(folder: Path) -> int:
    return sum(_rows(path, "metrics") for path in folder.rglob("*.db"))


def _rows(path: Path, table: str) -> int:
    with sqlite3.connect(path) as database:
        return int(database.execute(f"select count(*) from {table}").fetchone()[0])


OPEN: dict[str, Callable[[Path], tuple[Log, Close]]] = {
    "PlatformAPI": open_platformapi,
    "TensorBoard": open_tensorboard,
    "MLflow plain": open_mlflow,
    "MLflow batched": open_mlflow_batched,
    "aim": open_aim,
    "wandb": open_wandb,
    "clearml": open_clearml,
    "trackio": open_trackio,
}
COUNT: dict[str, Callable[[Path], int]] = {
    "PlatformAPI": count_platformapi,
    "TensorBoard": count_tensorboard,
    "MLflow plain": count_mlflow,
    "MLflow batched": count_mlflow,
    "wandb": count_wandb,
    "clearml": count_clearml,
    "trackio": count_trackio,
}


def main() -> None:
    name, folder, points, mode = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if mode == "count":
        answer({"points": COUNT[name](folder)})
        return
    log, close = OPEN[name](folder)
    for i in range(100):
        log(0.5, i)
    walls = []
    cpu, started = time.process_time(), time.perf_counter()
    for i in range(100, points):
        before = time.perf_counter_ns()
        log(i / 7, i)
        walls.append((time.perf_counter_ns() - before) / 1000)
    loop_s = time.perf_counter() - started
    if mode == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    started = time.perf_counter()
    close()
    close_s = time.perf_counter() - started
    cpu = time.process_time() - cpu
    walls.sort()
    answer(
        {
            "cpu_us": cpu / len(walls) * 1e6,
            "points_s": len(walls) / loop_s,
            "p50_us": walls[len(walls) // 2],
            "p99_us": walls[int(len(walls) * 0.99)],
            "worst_us": walls[-1],
            "close_s": close_s,
        }
    )


def answer(found: dict[str, float]) -> None:
    print("\nANSWER " + json.dumps(found), flush=True)
    os._exit(0)  # What a logger still does at exit was paid for by close().


if __name__ == "__main__":
    main()
