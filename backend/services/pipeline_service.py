"""What a user can ask about pipelines: which there are, what is wrong with them, graphs, help, an import, examples.

Here only the text is read (level syntax, graphs). What imports torch or the user's code runs in a process of its own.
"""

import hashlib
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from atp.api import Pipeline, load
from atp.diagnostics import Problem as FileProblem
from atp.diagnostics import Report
from atp.settings import find_settings
from backend.contracts.base import Problem, Reason
from backend.contracts.parameters import Parameter
from backend.contracts.pipelines import (
    MAX_TEXT,
    PIPELINE_SUFFIXES,
    PipelineCheck,
    PipelineFile,
    PipelineGraph,
    PipelineGraphCreate,
    PipelineHelp,
    PipelineHelpCreate,
    PipelineProblem,
    PipelineReport,
    PipelineText,
)
from backend.contracts.projects import Code, Project, ProjectCreate
from backend.domain.archive_rules import safe_path
from backend.domain.errors import InvalidInputError, TooLargeError
from backend.domain.parameter_schema import completed_parameter, parameter_problems
from backend.domain.pipeline_graph import drawn
from backend.runs.atp_process import AtpProcess
from backend.runs.atp_server import AtpAnswer
from backend.services.pipeline_folders import PipelineFolders
from backend.services.pipeline_jobs import PipelineJobs
from backend.services.project_service import ProjectService
from backend.stores.object_store import ObjectStore

DEPTH = 4
HELP_EXIT = 3
PATIENCE_S = 1.0
"""so long a request waits for an answer that is expected in a moment; the page would ask again only after a second"""
MAX_FILES_READ = 500
_HEAD_BYTES = 64 << 10
_IS_PIPELINE = re.compile(rb"""^(?:["']?atp["']?|\{\s*["']?atp["']?)\s*:""", re.MULTILINE)
_REFERENCE = re.compile(r"[#@][\w./:]*")
_PROBLEMS = TypeAdapter(tuple[PipelineProblem, ...])


class PipelineService:
    """Pipelines are files of a project's code; saving, exporting and running them is that of code and of runs."""

    def __init__(
        self,
        projects: ProjectService,
        objects: ObjectStore,
        folders: PipelineFolders,
        process: AtpProcess,
        jobs: "PipelineJobs[AtpAnswer]",
        scratch_file: Callable[[], Any],
    ) -> None:
        self._projects = projects
        self._objects = objects
        self._folders = folders
        self._process = process
        self._jobs = jobs
        self._scratch_file = scratch_file

    def pipelines(self, project_id: str) -> list[PipelineFile]:
        """The YAML files of a project that say `atp:`, by path."""
        code = self._projects.project(project_id).code
        found = [file for file in code.files if file.path.endswith(PIPELINE_SUFFIXES) and file.size_bytes <= MAX_TEXT]
        return [
            PipelineFile(path=file.path, size_bytes=file.size_bytes, sha256=file.sha256)
            for file in found[:MAX_FILES_READ]
            if self._is_pipeline(file.sha256)
        ]

    def check(self, project_id: str, asked: PipelineCheck) -> PipelineReport:
        """What is wrong with a text, at level syntax at once; at the others `waiting` until it is known."""
        project = self._projects.project(project_id)
        self._process.warm_up(project.id)
        pipeline = self._loaded(project.code, asked)
        report = pipeline.validate("syntax")
        known = PipelineReport(
            state="done",
            level=asked.level,
            problems=self._problems(project.code, report, asked),
            parameters=_parameters(pipeline) if not report.errors else (),
            stages=tuple(pipeline.instance.model.stages),
            main_stage=pipeline.instance.model.main_stage() or "",
        )
        if asked.level == "syntax" or report.errors:
            return known
        arguments = ("--lang", asked.language, "validate", asked.path, "--level", asked.level, "--format", "json")
        answer, fault = self._asked(project, asked, "check", arguments)
        if answer is None:
            return known.model_copy(update={"state": "failed" if fault else "waiting", "fault": fault})
        try:
            problems = _PROBLEMS.validate_json(_last_list(answer.stdout))
        except ValidationError:
            return known.model_copy(update={"state": "failed", "fault": _fault(answer)})
        return known.model_copy(update={"problems": problems})

    def graph(self, project_id: str, asked: PipelineGraphCreate) -> PipelineGraph:
        """A graph of a text. A file in error has none."""
        code = self._projects.project(project_id).code
        pipeline = self._loaded(code, asked)
        if pipeline.validate("syntax").errors:
            return PipelineGraph(fault=Reason(code="pipeline_in_error"))
        try:
            graph = pipeline.graph(asked.kind, asked.stage or None, DEPTH)
        except ValueError as error:  # no such stage, or too large a graph
            return PipelineGraph(fault=Reason(code="pipeline_no_graph", params={"detail": str(error)[:300]}))
        folder = str(self._folders.folder(code))
        return PipelineGraph(dot=drawn(graph, asked.toggled, pipeline.instance.model.file, folder))

    def help(self, project_id: str, asked: PipelineHelpCreate) -> PipelineHelp:
        """The help page of a reference."""
        project = self._projects.project(project_id)
        self._path(asked.path)
        if asked.reference and not _REFERENCE.fullmatch(asked.reference):
            raise InvalidInputError("pipeline_reference_bad", reference=asked.reference[:80])
        if not asked.reference:
            page = self._loaded(project.code, asked).help("")
            return PipelineHelp(state="done", text=page.removeprefix(f"{self._folders.folder(project.code)}/"))
        arguments = ("--lang", asked.language, "help", asked.reference, "--file", asked.path)
        answer, fault = self._asked(project, asked, "help", arguments)
        if answer is None:
            return PipelineHelp(state="failed" if fault else "waiting", fault=fault)
        if answer.exit_code != HELP_EXIT:
            return PipelineHelp(state="failed", fault=_fault(answer))
        return PipelineHelp(state="done", text=answer.stdout)

    def import_file(self, project_id: str, path: str, content: Path) -> Project:
        """Add an uploaded pipeline file to the code. Raises InvalidInputError unless it can be read as one.

        It may have other errors: those are shown in the editor.
        """
        path = self._path(path)
        if content.stat().st_size > MAX_TEXT:
            raise TooLargeError("file_too_large", path=path, limit_mb=1)
        try:
            text = content.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidInputError("pipeline_unreadable", path=path, detail="UTF-8") from None
        code = self._projects.project(project_id).code
        report = self._loaded(code, PipelineText(path=path, text=text)).validate("syntax")
        unreadable = [problem for problem in report.errors if problem.code == "E100"]
        if unreadable:
            detail = unreadable[0].message("en")
            raise InvalidInputError("pipeline_unreadable", _located(unreadable, path), path=path, detail=detail)
        return self._projects.put_file(project_id, path, content)

    def open_examples(self, name: str) -> Project:
        """A new project with the pipelines that АТР ships."""
        project = self._projects.create(ProjectCreate(name=name))
        for source in sorted(files("atp.examples").iterdir(), key=lambda file: file.name):
            if source.name.endswith((*PIPELINE_SUFFIXES, ".py")) and source.name != "__init__.py":
                with self._scratch_file() as scratch:
                    scratch.write(source.read_bytes())
                    scratch.flush()
                    project = self._projects.put_file(project.id, source.name, Path(scratch.name))
        return project

    def parameters_to_run(self, project: Project, path: str) -> tuple[Parameter, ...]:
        """The parameters of a saved file that is about to run. Raises InvalidInputError with every error in it."""
        path = self._path(path)
        sha256 = {file.path: file.sha256 for file in project.code.files}.get(path)
        if sha256 is None:
            raise InvalidInputError("launch_file_gone", project=project.name, file=path)
        content = self._objects.read_bytes(sha256)
        if len(content) > MAX_TEXT:
            raise TooLargeError("file_too_large", path=path, limit_mb=1)
        text = content.decode("utf-8", errors="replace")
        pipeline = self._loaded(project.code, PipelineText(path=path, text=text))
        report = pipeline.validate("syntax")
        if report.errors:
            raise InvalidInputError("pipeline_invalid", _located(report.errors, path), path=path)
        return _parameters(pipeline)

    def close(self) -> None:
        """End every check that still runs."""
        self._jobs.close()
        self._process.close()

    def _is_pipeline(self, sha256: str) -> bool:
        with self._objects.open(sha256) as stored:
            return _IS_PIPELINE.search(stored.read(_HEAD_BYTES)) is not None

    def _loaded(self, code: Code, asked: PipelineText) -> Pipeline:
        folder = self._folders.folder(code)
        path = self._path(asked.path)
        try:
            find_settings(folder / path, folder)
        except ValueError:
            raise InvalidInputError("pipeline_settings_bad") from None
        return load(folder / path, root=folder, language=asked.language, text=asked.text)

    def _path(self, path: str) -> str:
        clean = safe_path(path)
        if not clean.endswith(PIPELINE_SUFFIXES) or clean.startswith("-"):
            raise InvalidInputError("pipeline_path_bad", path=path[:200])
        return clean

    def _problems(self, code: Code, report: Report, asked: PipelineText) -> tuple[PipelineProblem, ...]:
        text = json.dumps(report.to_records(asked.language), ensure_ascii=False)
        shown = json.dumps(f"{self._folders.folder(code)}/", ensure_ascii=False)[1:-1]
        return _PROBLEMS.validate_json(text.replace(shown, ""))

    def _asked(
        self, project: Project, asked: PipelineText, what: str, arguments: tuple[str, ...]
    ) -> tuple[AtpAnswer | None, Reason | None]:
        path = self._path(asked.path)
        key = hashlib.sha256(json.dumps([project.code.sha256, path, asked.text, arguments]).encode()).hexdigest()

        def work() -> AtpAnswer:
            return self._process.run(project.id, self._folders.folder(project.code), path, asked.text, arguments)

        try:
            patience_s = PATIENCE_S if self._process.is_warm(project.id) else 0
            answer = self._jobs.ask(f"{project.id}/{path}/{what}", key, work, patience_s)
        except OSError as error:
            return None, Reason(code="pipeline_check_failed", params={"detail": str(error)[:300]})
        if answer is None or answer.is_final:
            return answer, None
        self._jobs.forget(key)  # a machine that is less busy may do better next time
        return (None, Reason(code="pipeline_check_slow")) if answer.exit_code is None else (answer, None)


def _parameters(pipeline: Pipeline) -> tuple[Parameter, ...]:
    """What the form can show; a default that breaks the form's own rules is left to the file."""
    found: list[Parameter] = []
    for group, members in pipeline.param_form().items():
        for name, described in members.items():
            try:
                parameter = completed_parameter(_parameter(group, name, described))
            except (ValidationError, InvalidInputError):
                continue
            if not list(parameter_problems("train", parameter)):
                found.append(parameter)
    return tuple(found)


def _parameter(group: str, name: str, described: dict[str, Any]) -> Parameter:
    is_choice = "choices" in described and described["type"] in ("choice", "str")
    return Parameter(
        group=group,
        name=name,
        type="choice" if is_choice else described["type"],
        default=described["default"],
        minimum=described.get("min"),
        maximum=described.get("max"),
        choices=tuple(described["choices"]) if is_choice else (),
        description=described.get("description", ""),
    )


def _located(problems: list[FileProblem], path: str) -> list[Problem]:
    """Errors as problems of a reply; those of other files keep only their text."""
    return [
        Problem(
            code="pipeline_problem",
            params={"code": problem.code, "text": problem.message("en"), "hint": problem.hint_text("en") or ""},
            file=path if problem.place.file.endswith(path) else Path(problem.place.file).name,
            line=problem.place.line + 1,
        )
        for problem in problems
    ]


def _last_list(stdout: str) -> str:
    """The answer of `atp`; before it stands what the project's modules print while they are imported."""
    return stdout[stdout.rfind("\n[") + 1 :]


def _fault(answer: AtpAnswer) -> Reason:
    lines = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    detail = lines[-1][:300] if lines else f"exit code {answer.exit_code}"
    return Reason(code="pipeline_check_failed", params={"detail": detail})
