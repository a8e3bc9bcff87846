"""The levels of validation: syntax (imports nothing), static (imports allowed libraries), init (creates components)."""

from typing import Literal, get_args

from atp.diagnostics import Problems
from atp.instances import Instance, Workspace, creation_order, needs_of, read_from_outside
from atp.validation.checker import Checker
from atp.validation.flow import check_stage

Level = Literal["syntax", "static", "init"]
LEVELS: tuple[str, ...] = get_args(Level)


def check_files(workspace: Workspace, main: Instance, with_imports: bool) -> tuple[Problems, dict[int, Checker]]:
    """Checks all instances without creating anything."""
    problems = Problems()
    problems.extend(workspace.problems.sorted())
    checkers: dict[int, Checker] = {}
    instances = main.all_instances()
    for instance in instances:
        checkers[id(instance)] = Checker(workspace, instance, problems, with_imports, checkers)
    for instance in instances:
        checker = checkers[id(instance)]
        creation_order(instance, problems)
        checker.prepare()
        for stage in instance.model.stages.values():
            check_stage(checker, stage, read_from_outside(instance, stage.name))
    _warn_of_unused(main, problems)
    if problems.has_errors:
        problems.drop("W407", "W408")  # what is in error may be the user of what seems unused
    return problems, checkers


def _warn_of_unused(main: Instance, problems: Problems) -> None:
    """Only the main file: components of the others are there for whoever uses them. No stage: a library of parts."""
    if not main.model.stages:
        return
    used = {needed for name in main.model.names for needed, _ in needs_of(main, name) if needed != name}
    for name, component in main.components.items():
        if name not in used and name not in main.model.broken:
            problems.add("W408", component.place, None, name=name)
