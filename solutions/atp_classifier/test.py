"""Test launch file of the workstation: runs the pipeline beside it, the same as `atp run test.yaml`."""

import sys

from atp.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "test.yaml"]))
