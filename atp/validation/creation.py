"""Level init: creates the components, then checks the steps against the live objects."""

import contextlib
import io
import tempfile
from pathlib import Path

from atp.compile.bindings import inner_file
from atp.compile.building import Builder
from atp.compile.options import CompileOptions
from atp.diagnostics import Problems
from atp.instances import Instance, Workspace, read_from_outside
from atp.runtime.local_platform import use_local_platform
from atp.runtime.run_info import make_run_info, seed_everything
from atp.validation.checker import Checker
from atp.validation.flow import check_stage


def check_by_creating(workspace: Workspace, main: Instance, static: Problems, checkers: dict[int, Checker]) -> Problems:
    """Problems of the static level, E210 of components that fail, and what only live objects show."""
    problems = Problems()
    problems.extend(static.sorted())
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        run = make_run_info(0, Path(folder), resumed=False)
        use_local_platform(workspace.library, run.out, is_forced=True)
        seed_everything(run.seed)
        builder = Builder(workspace.library, run, CompileOptions())
        builder.failures = []
        built = builder.build(main)
    for failure in builder.failures:
        problems.add("E210", failure.place, None, reference=failure.reference, reason=failure.reason)
    live = {id(pipeline.instance): pipeline for pipeline in built.all_pipelines()}
    for instance in main.all_instances():
        pipeline = live.get(id(instance))
        checker = Checker(workspace, instance, problems, True, checkers)
        if pipeline:
            checker.live = {
                name: component
                for name, component in pipeline.live_components().items()
                if inner_file(instance, name) is None and name not in instance.model.stages
            }
        for stage in instance.model.stages.values():
            check_stage(checker, stage, read_from_outside(instance, stage.name))
    return problems
