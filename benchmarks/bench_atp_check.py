"""How long a file of 500 components is checked at level static: wanted within a second, imports of torch not counted.

    python -m benchmarks.bench_atp_check
    python -m benchmarks.bench_atp_check 2000

No peer checks a file before it runs, so there is no ratio. The first check of a process also reads signatures of the
library for the first time; an editor that checks while one types has the second figure.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch  # noqa: F401 (what the file names is imported once in a process, whoever checks)

import atp

COMPONENTS = 500
ROUNDS = 20


def text_of(count: int) -> str:
    """A chain of layers: each third one a network of those before, a stage calls the last of them."""
    lines = ["atp: 1"]
    for number in range(count):
        if number % 3 == 2:
            parts = f'"@c{number - 2}", "@c{number - 1}"'
            lines.append(f'c{number}: {{"#torch.nn.Sequential": [{parts}]}}')
        else:
            bias = "true" if number % 2 else "false"
            lines.append(f'c{number}: {{"#torch.nn.Linear": {{in_features: 8, out_features: 8, bias: {bias}}}}}')
    last = max(number for number in range(count) if number % 3 == 2)
    lines += ["main:", "  input: [x]", "  process:", f'    - {{"@c{last}": $x, output: y}}', "  output: y"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the first check and the median of the later ones, each of another text."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COMPONENTS
    with tempfile.TemporaryDirectory(prefix="arm-bench-") as folder:
        path = Path(folder) / "big.yaml"
        path.write_text(text_of(count), encoding="utf-8")
        seconds = []
        for number in range(ROUNDS + 1):
            start = time.perf_counter()
            report = atp.load(path, text=f"{text_of(count)}# {number}\n").validate("static")
            seconds.append(time.perf_counter() - start)
            if report.errors:
                raise SystemExit(report.to_text())
    print(
        f"{count} components: first check {seconds[0]:.3f} s, later ones median {statistics.median(seconds[1:]):.3f}, "
        f"worst {max(seconds[1:]):.3f} s; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
