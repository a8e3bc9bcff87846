"""Training launch file of the workstation: runs the pipeline beside it, the same as `atp run train.yaml`."""

import sys

from atp.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "train.yaml"]))
