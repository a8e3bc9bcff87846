"""Runs main() of every benchmarks/bench_*.py, each in its own process, so that no benchmark warms another one up."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run them by name; the exit code tells whether one failed."""
    failed = []
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"\n=== {path.stem}", flush=True)
        code = f"from benchmarks.{path.stem} import main; main()"
        if subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode != 0:
            failed.append(path.stem)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
