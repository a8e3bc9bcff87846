"""Input parameters of a run (step 1): run.json in the workstation, the defaults of a file beside the script alone."""

import copy
from typing import Any, Literal

from PlatformAPI.errors import RunFolderError
from PlatformAPI.parameter_file import read_defaults
from PlatformAPI.run_context import current

Params = dict[str, dict[str, Any]]


def get_train_params() -> Params:
    """Parameters of the training as {group: {name: value}}.

    In a test: those of the training whose weights it tests. Alone, or in a test that names no training: the defaults of
    params.json or params.yaml beside the script, {} without it.
    """
    return _params("train")


def get_test_params() -> Params:
    """Parameters of the test as {group: {name: value}}; see `get_train_params`."""
    return _params("test")


def _params(kind: Literal["train", "test"]) -> Params:
    run = current()
    name = "params" if run.spec.get("kind", "train") == kind else f"{kind}_params"
    if not run.is_alone and name in run.spec:
        params = run.spec[name]
        if not isinstance(params, dict) or not all(isinstance(group, dict) for group in params.values()):
            raise RunFolderError(f"{run.folder / 'run.json'}: {name} must be {{group: {{name: value}}}}")
        return copy.deepcopy(params)
    return read_defaults(run.script_dir, kind)
