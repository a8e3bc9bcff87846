"""The same training described in YAML only: runs train_atp.yaml, as `atp run train_atp.yaml` does."""

import sys

from atp.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", "train_atp.yaml"]))
