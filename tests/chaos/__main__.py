"""`python -m tests.chaos --seed 1 --faults 200`: kill everything at random, then check the books."""

import argparse
import statistics
import sys

from tests.chaos.storm import run_storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--ui", action="store_true", help="also start the pages and kill them")
    options = parser.parse_args()
    report = run_storm(options.seed, options.faults, options.ui, lambda text: print(text, flush=True))
    print(
        f"\nseed {options.seed}, {sum(report.faults.values())} faults in {report.seconds:.0f} s: {dict(report.faults)}"
    )
    for reason in report.skipped:
        print(f"skipped: {reason}")
    print(f"runs: {dict(report.states)}")
    totals = report.totals
    print(f"checked: {totals.points} points, {totals.messages} messages, {totals.artifacts} artefacts")
    if report.gaps_s:
        gaps = sorted(report.gaps_s)
        print(
            f"from the end of a script to the end of its run: median {statistics.median(gaps):.1f} s, {gaps[-1]:.1f} s"
        )
    for fault in totals.faults:
        print(f"WRONG: {fault}")
    print("the books balance" if not totals.faults else f"{len(totals.faults)} faults in the books")
    return int(bool(totals.faults))


if __name__ == "__main__":
    sys.exit(main())
