"""The Python API: load a file, check it, draw it, build it, run it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atp.diagnostics import InvalidFileError, Problems, Report
from atp.instances import Instance, Workspace
from atp.model.files import ParamValue
from atp.settings import find_settings
from atp.validation.checker import Checker
from atp.validation.levels import LEVELS, check_files

if TYPE_CHECKING:
    from atp.compile.building import BuiltPipeline, Observers
    from atp.compile.options import CompileOptions
    from atp.graphs.graph import Graph
    from atp.model.values import Call


class Pipeline:
    """A loaded file. Loading never fails because of what the file says: `validate` tells."""

    def __init__(
        self,
        file: Path,
        text: str,
        params: Mapping[str, ParamValue],
        allow: Sequence[str] = (),
        root: Path | None = None,
        language: str = "en",
    ) -> None:
        self.file, self.text, self.language = file, text, language
        self._workspace = Workspace(find_settings(file, root, tuple(allow)), file)
        self._main: Instance = self._workspace.open_main(file, text, dict(params))
        self._checked: dict[bool, tuple[Problems, dict[int, Checker]]] = {}

    @property
    def params(self) -> dict[str, ParamValue]:
        """Parameters by `name` or `group.name`, with what was set from outside."""
        return dict(self._main.params)

    @property
    def instance(self) -> Instance:
        """The model of the file with everything it uses."""
        return self._main

    def param_form(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The parameters as the workstation's form takes them: {group: {name: {default, type, min, …}}}."""
        from atp.parsing.params import PARAM_TYPES

        form: dict[str, dict[str, dict[str, Any]]] = {}
        for param in self._main.model.params.values():
            if param.type not in PARAM_TYPES or param.type in ("list", "dict", "null"):
                continue
            described: dict[str, Any] = {"default": self._main.params[param.name], "type": param.type}
            described |= {key: value for key, value in (("min", param.min), ("max", param.max)) if value is not None}
            if param.choices:
                described["choices"] = list(param.choices)
            if param.doc:
                described["description"] = param.doc
            group = param.path[0] if len(param.path) > 1 else "params"
            form.setdefault(group, {})[param.path[-1]] = described
        return form

    def validate(self, level: str = "static") -> Report:
        """Check the file: `syntax` imports nothing, `static` imports allowed libraries, `init` creates components."""
        if level not in LEVELS:
            raise ValueError(f"there is no level {level!r}; there are {', '.join(LEVELS)}")
        problems, checkers = self._check(level != "syntax")
        if level == "init" and not problems.has_errors and not self.help_requests():
            problems = self._check_by_creating(problems, checkers)
        return Report(tuple(problems.sorted()), self._workspace.sources, self.language)

    def _check(self, with_imports: bool) -> tuple[Problems, dict[int, Checker]]:
        if with_imports not in self._checked:
            self._checked[with_imports] = check_files(self._workspace, self._main, with_imports)
        return self._checked[with_imports]

    def _check_by_creating(self, problems: Problems, checkers: dict[int, Checker]) -> Problems:
        from atp.validation.creation import check_by_creating

        return check_by_creating(self._workspace, self._main, problems, checkers)

    def help_requests(self) -> "list[tuple[Call, Instance]]":
        """Calls whose arguments are `?`, with the file that each stands in: help is printed and nothing runs."""
        _, checkers = self._check(True)
        unique = {call.place: (call, one.instance) for one in checkers.values() for call in one.help_calls}
        return [unique[place] for place in sorted(unique, key=lambda place: (place.file, place.line, place.column))]

    def graph(self, kind: str = "exec", stage: str | None = None, depth: int = 0) -> "Graph":
        """The graph of initialisation (`init`) or of a stage (`exec`). Imports nothing that the file names.

        `depth` opens that many levels: of the files that components are, of the stages that a stage calls.
        After a validation at level static the nodes of `init` also tell which components are stateful.
        """
        from atp.graphs.execution import execution_graph
        from atp.graphs.initialisation import initialisation_graph

        if kind == "init":
            found = self._checked.get(True)
            return initialisation_graph(self._main, found[1][id(self._main)] if found else None, depth)
        if kind != "exec":
            raise ValueError(f"there is no graph {kind!r}; there are init, exec")
        return execution_graph(self._main, self._stage_name(stage), depth)

    def help(self, reference: str, instance: Instance | None = None) -> str:
        """The help page of `#name`, of `@name` of this file, or of the file itself for an empty reference.

        `instance` is the file that is meant, if it is another one than the main file.
        """
        from atp.help.pages import help_page

        where = instance or self._main
        return help_page(self._workspace.library, reference, where, self._workspace.settings, self.language)

    def source(self, stage: str | None = None) -> str:
        """The Python code of a stage. Raises InvalidFileError if the file has errors."""
        from atp.compile.options import CompileOptions
        from atp.compile.stages import compile_stage

        self._require_valid("syntax")
        model = self._main.model
        name = self._stage_name(stage)
        return compile_stage(self._main, model.stages[name], CompileOptions()).source()

    def build(
        self,
        seed: int | None = None,
        out: str | Path = "atp-run",
        device: str | None = None,
        resumed: bool = False,
        options: "CompileOptions | None" = None,
        observers: "Observers | None" = None,
        local_platform: bool = False,
    ) -> "BuiltPipeline":
        """Create the components and compile the stages.

        Seeds the random generators with `seed`, or with a drawn one that `@run.seed` tells. `local_platform` sends
        what goes to PlatformAPI to the console and a file in `out`. Raises InvalidFileError, also for a component
        that cannot be created, and ValueError if the file asks for help with `?`.
        """
        from atp.compile.building import Builder, CreationError, Observers
        from atp.compile.nesting import mark_inner_epochs
        from atp.compile.options import CompileOptions
        from atp.runtime.local_platform import use_local_platform
        from atp.runtime.run_info import make_run_info, seed_everything

        self._require_valid("static")
        if self.help_requests():
            raise ValueError("the file asks for help ('?'), so it is not built")
        run = make_run_info(seed, Path(out), resumed, device)
        use_local_platform(self._workspace.library, run.out, local_platform)
        seed_everything(run.seed)
        builder = Builder(self._workspace.library, run, options or CompileOptions(), observers or Observers())
        try:
            built = builder.build(self._main)
            mark_inner_epochs(built)
            return built
        except CreationError as error:
            problems = Problems()
            problems.add("E210", error.place, None, reference=error.reference, reason=error.reason)
            report = Report(tuple(problems.sorted()), self._workspace.sources, self.language)
            raise InvalidFileError(report) from error.__cause__

    def _require_valid(self, level: str) -> None:
        report = self.validate(level)
        if report.errors:
            raise InvalidFileError(report)

    def _stage_name(self, stage: str | None) -> str:
        stages = self._main.model.stages
        name = stage or self._main.model.main_stage()
        if name is None or name not in stages:
            raise ValueError(
                f"{'no stage ' + repr(stage) if stage else 'name a stage'}; there are: {', '.join(stages)}"
            )
        return name

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """Lines of every file that was read, by its shown name."""
        return self._workspace.sources


def load(
    file: str | Path,
    params: Mapping[str, ParamValue] | None = None,
    allow: Sequence[str] = (),
    root: str | Path | None = None,
    language: str = "en",
    text: str | None = None,
) -> Pipeline:
    """Load a pipeline file.

    Args:
        file: the path; messages name it as it is given here.
        params: values for its `params`, by `name` or `group.name`.
        allow: names that `#` may import beside the default ones. Trusted: never take it from the file.
        root: the project's folder; see `atp.settings.find_settings`.
        language: `en` or `ru`.
        text: the text, if it is not to be read from the file (an editor).

    Raises OSError if the file cannot be read.
    """
    path = Path(file)
    content = text if text is not None else path.read_bytes().decode("utf-8", errors="replace")
    return Pipeline(path, content, params or {}, allow, Path(root) if root else None, language)
