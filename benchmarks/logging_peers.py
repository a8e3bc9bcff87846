"""PlatformAPI beside its peers, each in a process of its own: cost of a point, of closing, and what kill -9 leaves.

Peers of benchmarks/peers.txt get throw-away environments in the temporary folder; one that cannot be installed is left
out and the reason is said. Ours is measured right before each peer, and the ratio is of that pair: other load on the
machine then weighs on both.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROUNDS = 3
PATIENCE_S = 240
OURS = "PlatformAPI"
POINTS = {"MLflow plain": 600, "clearml": 2000}
"""Where 10 000 would take minutes."""
NOT_READ = ("aim",)
"""Whose files are not read back here: without its indexing its API calls a killed run empty, which proves nothing."""
FIGURES = ("cpu_us", "points_s", "p50_us", "p99_us", "worst_us", "close_s")


class PeerFailedError(Exception):
    """A peer did not do its work; the text says what happened."""


@dataclass(frozen=True)
class Peer:
    """A logger and the interpreter that has it."""

    name: str
    python: str

    @property
    def points(self) -> int:
        return POINTS.get(self.name, 10_000)


def main() -> None:
    """Print one row a logger."""
    print(f"medians of {ROUNDS} rounds; (x) is the peer's figure over ours of the same round")
    print(
        f"{'':16} {'CPU µs/point':>18} {'points/s':>9} {'p50 µs':>8} {'p99 µs':>16} {'worst ms':>9} {'close s':>8} "
        f"{'after kill -9':>16}",
        flush=True,
    )
    ours = Peer(OURS, sys.executable)
    show(ours, [measured(ours, ours.points) for _ in range(ROUNDS)], None)
    for peer in peers():
        try:
            pairs = [(measured(ours, peer.points), measured(peer, peer.points)) for _ in range(ROUNDS)]
            show(peer, [theirs for _, theirs in pairs], [own for own, _ in pairs])
        except PeerFailedError as error:
            print(f"{peer.name:16} left out: {error}", flush=True)


def peers() -> list[Peer]:
    """Those of our own environment, then those that could be installed."""
    found = [Peer(name, sys.executable) for name in ("TensorBoard", "MLflow batched", "MLflow plain")]
    for line in (HERE / "peers.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name = line.split("==")[0]
            try:
                found.append(Peer(name, installed(name, line)))
            except PeerFailedError as error:
                print(f"{name:16} left out: {error}", flush=True)
    return found


def installed(name: str, requirement: str) -> str:
    """The interpreter of a peer's own environment; never the workstation's."""
    folder = Path(tempfile.gettempdir()) / "arm-bench-peers" / requirement
    python = folder / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    done = folder / "installed"
    if not done.exists():
        for argv in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder],
            [uv, "pip", "install", "--quiet", "--python", python, requirement],
        ):
            result = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
            if result.returncode != 0:
                raise PeerFailedError(f"does not install: {result.stderr.strip()[-300:]}")
        done.touch()
    return str(python)


def measured(peer: Peer, points: int) -> dict[str, float]:
    """Figures of one round, and the share of points that a killed process left readable."""
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as folder:
        figures = asked(peer, Path(folder), points, "log")
    if peer.name in NOT_READ:
        return figures | {"kept": math.nan}
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as folder:
        asked(peer, Path(folder), points, "kill")
        kept = asked(peer, Path(folder), points, "count")["points"]
    return figures | {"kept": kept / points}


def asked(peer: Peer, folder: Path, points: int, mode: str) -> dict[str, float]:
    """Run the peer's script. HOME is the folder, so that no peer reads or writes the user's."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("ARM_")} | {"HOME": str(folder)}
    if peer.name == OURS:
        env["PYTHONPATH"] = str(HERE.parent)
    argv = [peer.python, str(HERE / "peer_loggers.py"), peer.name, str(folder), str(points), mode]
    try:
        done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise PeerFailedError(f"{mode}: not done after {PATIENCE_S} s") from None
    if mode == "kill":
        return {}
    answers = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    if not answers:
        raise PeerFailedError(f"{mode}: {(done.stderr.strip() or done.stdout.strip())[-300:]}")
    found: dict[str, float] = json.loads(answers[0].removeprefix("ANSWER "))
    return found


def show(peer: Peer, rounds: list[dict[str, float]], ours: list[dict[str, float]] | None) -> None:
    """One row; ratios are medians over pairs."""
    figure = {name: statistics.median(one[name] for one in rounds) for name in FIGURES}

    def ratio(name: str) -> str:
        if ours is None:
            return ""
        return f"({statistics.median(t[name] / o[name] for t, o in zip(rounds, ours, strict=True)):.0f}x)"

    print(
        f"{peer.name:16} {figure['cpu_us']:9.1f} {ratio('cpu_us'):>8} {figure['points_s']:9.0f} "
        f"{figure['p50_us']:8.1f} {figure['p99_us']:8.1f} {ratio('p99_us'):>7} {figure['worst_us'] / 1000:9.1f} "
        f"{figure['close_s']:8.3f} {min(one['kept'] for one in rounds):15.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
