"""Pipelines: YAML files (docs/atp.md) among the code of a project, what is wrong with them, graphs and versions."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from backend.contracts.base import Contract, Language, Reason
from backend.contracts.parameters import Parameter

PIPELINE_SUFFIXES = (".yaml", ".yml")
PipelineLevel = Literal["syntax", "static", "init"]
"""`syntax` imports nothing, `static` imports what the file names, `init` creates its components."""
AnswerState = Literal["done", "waiting", "failed"]
MAX_TEXT = 1_000_000


class PipelineFile(Contract):
    """A pipeline file of a project."""

    path: str
    size_bytes: int
    sha256: str


class PipelineText(Contract):
    """A file as it stands in an editor, saved or not; the other files are those of the project."""

    path: str = Field(max_length=1000)
    text: str = Field(max_length=MAX_TEXT)
    language: Language = "en"


class PipelineCheck(PipelineText):
    """Check the file at a level."""

    level: PipelineLevel = "syntax"


class PipelineProblem(Contract):
    """One error (E…) or warning (W…). Lines and columns count from 1; `end_column` is after the last character."""

    code: str
    level: Literal["error", "warning"]
    file: str
    line: int
    column: int
    end_column: int
    message: str
    hint: str | None = None


class PipelineReport(Contract):
    """What is known of a file.

    `state` waiting: the imports are still being checked, ask again; `problems` are then those of level syntax.
    failed: the check itself ended badly, `fault` says how. `parameters` is the form of the file, `stages` can be drawn,
    `main_stage` is launched; all three are empty for a file that can not be read.
    """

    state: AnswerState
    level: PipelineLevel
    problems: tuple[PipelineProblem, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    stages: tuple[str, ...] = ()
    main_stage: str = ""
    fault: Reason | None = None


class PipelineGraphCreate(PipelineText):
    """Draw the graph of initialisation (`init`) or of a stage (`exec`; "" is the main one).

    `toggled` names frames that are not as they are at first: frames inside the file are open, called stages closed.
    """

    kind: Literal["init", "exec"] = "exec"
    stage: str = Field(default="", max_length=200)
    toggled: tuple[str, ...] = Field(default=(), max_length=500)


class PipelineGraph(Contract):
    """A graph in the dot language. A node links to `#line-N`, a frame and a closed frame to `#frame-ID`.

    The link of a node of another file of the project ends with `/file-PATH`, percent-encoded.

    `fault` says why there is none.
    """

    dot: str = ""
    fault: Reason | None = None


class PipelineHelpCreate(PipelineText):
    """Explain `#torch.optim.Adam`, `@component`, or the file itself ("")."""

    reference: str = Field(default="", max_length=300)


class PipelineHelp(Contract):
    """The page as text; `state` as in PipelineReport."""

    state: AnswerState
    text: str = ""
    fault: Reason | None = None


class PipelineVersionCreate(Contract):
    """Keep the saved state of a file."""

    path: str = Field(max_length=1000)
    note: str = Field(default="", max_length=500)


class PipelineVersion(Contract):
    """A kept state of a pipeline file; `number` counts from 1 in the file. The text is object `sha256`."""

    project_id: str
    path: str
    number: int
    sha256: str
    size_bytes: int
    note: str = ""
    created_at: datetime
