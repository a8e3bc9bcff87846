"""Projects (working copies of a solution's code and settings) and solutions (exported, immutable, versioned)."""

from datetime import datetime

from pydantic import Field

from backend.contracts.base import Contract
from backend.contracts.parameters import ParameterSchema


class CodeFile(Contract):
    """One file of a solution: POSIX path relative to its root and the sha256 of its bytes."""

    path: str
    size_bytes: int
    sha256: str


class Code(Contract):
    """A code tree; `sha256` is the hash of its manifest, so equal trees have equal hashes. Empty: no files."""

    sha256: str = ""
    files: tuple[CodeFile, ...] = ()


class Weights(Contract):
    """A weights file of a solution: format is `pytorch`, `onnx` or `checkpoint`."""

    path: str
    format: str
    sha256: str
    size_bytes: int


class Project(Contract):
    """A working copy. `train_file` and `test_file` are paths in `code`, empty until chosen.

    `network`: its scripts ask for the network. `weights` came with a solution: runs begin with them, unless they name
    a training run or say otherwise.
    """

    id: str
    name: str
    description: str = ""
    code: Code = Code()
    train_file: str = ""
    test_file: str = ""
    arguments: str = ""
    device: str = "cpu"
    network: bool = False
    parameters: ParameterSchema = ParameterSchema()
    weights: tuple[Weights, ...] = ()
    created_at: datetime
    updated_at: datetime


class ProjectCreate(Contract):
    """A new, empty project."""

    name: str = Field(min_length=1, max_length=200)
    description: str = ""


class ProjectUpdate(Contract):
    """Fields to change; absent ones stay."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    description: str | None = None
    train_file: str | None = None
    test_file: str | None = None
    arguments: str | None = None
    device: str | None = None
    network: bool | None = None
    parameters: ParameterSchema | None = None


class FileText(Contract):
    """A code file as text for viewing.

    `is_truncated` when it is longer than what is shown, `is_binary` when it is no UTF-8 text.
    """

    path: str
    text: str
    is_truncated: bool = False
    is_binary: bool = False


class SolutionCreate(Contract):
    """The export form of platform-spec S10.

    `train_run_id`, if given, adds that run's weights, and the code is the one that trained them. `network` None takes
    the project's.
    """

    project_id: str
    name: str = Field(min_length=1, max_length=200)
    train_file: str
    test_file: str = ""
    description: str = ""
    main_file: str = ""
    arguments: str = ""
    device: str = "cpu"
    network: bool | None = None
    train_run_id: str | None = None


class Solution(Contract):
    """An exported solution: immutable; exporting the same name again makes the next `version` (from 1)."""

    id: str
    name: str
    version: int
    description: str = ""
    train_file: str
    test_file: str = ""
    main_file: str = ""
    arguments: str = ""
    device: str = "cpu"
    network: bool = False
    code: Code
    parameters: ParameterSchema
    weights: tuple[Weights, ...] = ()
    project_id: str
    train_run_id: str | None = None
    created_at: datetime
