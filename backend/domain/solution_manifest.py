"""solution.json of an exported archive: everything about a solution that is not its files."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.contracts.base import Problem
from backend.contracts.parameters import ParameterSchema
from backend.contracts.projects import Solution, Weights
from backend.domain.errors import InvalidInputError
from backend.domain.parameter_schema import check_schema

FILE_NAME = "solution.json"
MAX_BYTES = 4 << 20


class SolutionManifest(BaseModel):
    """Unknown fields are ignored, so an archive of a newer workstation of the same format opens here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    name: str = ""
    version: int = 1
    description: str = ""
    train_file: str = ""
    test_file: str = ""
    main_file: str = ""
    arguments: str = ""
    device: str = "cpu"
    network: bool = False
    parameters: ParameterSchema = ParameterSchema()
    code_sha256: str = ""
    weights: tuple[Weights, ...] = ()
    train_run_id: str | None = None
    created_at: datetime | None = None


def manifest_of(solution: Solution) -> SolutionManifest:
    """What an archive of this solution says about it."""
    return SolutionManifest(
        **solution.model_dump(exclude={"id", "project_id", "code"}), code_sha256=solution.code.sha256
    )


def parse_manifest(content: bytes) -> SolutionManifest:
    """Read a solution.json that somebody uploaded. Raises InvalidInputError naming the fields at fault."""
    try:
        manifest = SolutionManifest.model_validate_json(content)
    except ValidationError as error:
        problems = [
            Problem(
                code="field_invalid",
                file=FILE_NAME,
                params={"field": ".".join(map(str, fault["loc"])), "detail": fault["msg"]},
            )
            for fault in error.errors()[:50]
        ]
        raise InvalidInputError("solution_manifest_invalid", problems) from None
    try:
        check_schema(manifest.parameters)
    except InvalidInputError as error:
        problems = [problem.model_copy(update={"file": FILE_NAME}) for problem in error.problems]
        raise InvalidInputError("solution_manifest_invalid", problems) from None
    return manifest
