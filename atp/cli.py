"""The command `atp`: validate, graph, help, run, show, fmt. Exit: 0 ok, 1 run failed, 2 errors, 3 help printed."""

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atp.diagnostics import InvalidFileError, Problems, Report
from atp.messages import LANGUAGES, terminal_language
from atp.model.files import ParamValue
from atp.parsing.files import parse_file
from atp.parsing.params import set_value
from atp.runtime.checkpoint import CheckpointError

if TYPE_CHECKING:
    from atp.api import Pipeline
    from atp.compile.building import Observers

OK, FAILED, ERRORS, HELP = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    given = _parser().parse_args(arguments)
    given.lang = given.lang or _language(given.command)
    commands = {
        "validate": _validate, "graph": _graph, "help": _help, "run": _run, "show": _show, "fmt": _fmt,
    }  # fmt: skip
    try:
        return commands[given.command](given)
    except InvalidFileError as error:
        _print_report(error.report, given)
        return ERRORS
    except (OSError, ValueError, LookupError, CheckpointError) as error:
        print(f"atp: {error.args[0] if isinstance(error, KeyError) else error}", file=sys.stderr)
        return ERRORS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="atp", description="Training pipelines in YAML.")
    parser.add_argument("--lang", choices=LANGUAGES, help="language of messages")
    parser.add_argument("--root", type=Path, help="the project's folder, if it is not the file's")
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check a file")
    validate.add_argument("file")
    validate.add_argument("--level", choices=("syntax", "static", "init"), default="static")
    graph = commands.add_parser("graph", help="draw a file")
    graph.add_argument("file")
    graph.add_argument("--kind", choices=("init", "exec"), default="exec")
    graph.add_argument("--stage")
    graph.add_argument("--depth", type=int, default=0, help="so many levels of stages or files are opened")
    help_ = commands.add_parser("help", help="explain a name or a file")
    help_.add_argument("reference")
    help_.add_argument("--file", help="the file whose '@' components and folder are meant")
    run = commands.add_parser("run", help="run a stage")
    run.add_argument("file")
    run.add_argument("stage", nargs="?")
    run.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    run.add_argument("--resume", metavar="last|NAME|PATH")
    run.add_argument("--limit", type=_positive, help="stop every loop after so many passes, with a local platform")
    run.add_argument("--debug", metavar="STAGE[:LINE]", help="stop before each step of a stage")
    run.add_argument("--profile", action="store_true", help="print the time of each step")
    run.add_argument("--seed", type=int)
    run.add_argument("--out", default=None, help="folder for what the run writes (@run.out)")
    run.add_argument("--device")
    show = commands.add_parser("show", help="print the Python code of the stages")
    show.add_argument("file")
    show.add_argument("stage", nargs="?")
    fmt = commands.add_parser("fmt", help="add missing quotes")
    fmt.add_argument("file")
    fmt.add_argument("--check", action="store_true", help="change nothing, exit 2 if something is missing")
    for command in (validate, run):
        command.add_argument("--format", choices=("text", "json"), default="text")
    graph.add_argument("--format", choices=("json", "mermaid", "dot", "svg"), default="mermaid")
    return parser


def _language(command: str) -> str:
    """In a run of the workstation that of the page where it was started, else that of the terminal."""
    return (_platform("get_language") if command == "run" else None) or terminal_language()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _load(given: argparse.Namespace) -> "Pipeline":
    from atp.api import load

    return load(given.file, root=given.root, language=given.lang)


def _print_report(report: Report, given: argparse.Namespace) -> None:
    if getattr(given, "format", "text") == "json":
        print(json.dumps(report.to_records(given.lang), ensure_ascii=False, indent=1))
    elif report.problems:
        print(report.to_text(given.lang), file=sys.stderr)


def _validate(given: argparse.Namespace) -> int:
    report = _load(given).validate(given.level)
    _print_report(report, given)
    if given.format == "text":
        print(f"{given.file}: {len(report.errors)} errors, {len(report.warnings)} warnings")
    return ERRORS if report.errors else OK


def _graph(given: argparse.Namespace) -> int:
    pipeline = _load(given)
    report = pipeline.validate("syntax")
    if report.errors:
        raise InvalidFileError(report)
    try:
        print(pipeline.graph(given.kind, given.stage, given.depth).to(given.format))
    except RuntimeError as error:
        print(f"atp: {error}", file=sys.stderr)
        return ERRORS
    return OK


def _help(given: argparse.Namespace) -> int:
    from atp.api import load
    from atp.help.pages import help_page
    from atp.resolution.library import Library
    from atp.settings import find_settings

    reference = str(given.reference)
    if reference.endswith((".yaml", ".yml")) and not reference.startswith("#"):
        print(load(reference, root=given.root, language=given.lang).help(""))
    elif given.file:
        print(load(given.file, root=given.root, language=given.lang).help(reference))
    else:
        settings = find_settings(Path.cwd() / "pipeline.yaml", given.root)
        library = Library((settings.root, Path.cwd()), settings.allow)
        print(help_page(library, reference, None, settings, given.lang))
    return HELP


def _show(given: argparse.Namespace) -> int:
    pipeline = _load(given)
    stages = [given.stage] if given.stage else list(pipeline.instance.model.stages)
    print("\n\n".join(pipeline.source(stage) for stage in stages))
    return OK


def _fmt(given: argparse.Namespace) -> int:
    from atp.formatting import with_quotes

    path = Path(given.file)
    text = path.read_bytes().decode("utf-8")
    changed = with_quotes(text, given.file)
    if changed != text and given.check:
        print(f"{given.file}: quotes are missing", file=sys.stderr)
        return ERRORS
    if changed != text:
        path.write_bytes(changed.encode("utf-8"))
    return OK


def _run(given: argparse.Namespace) -> int:
    from atp.api import load

    text = Path(given.file).read_bytes().decode("utf-8", errors="replace")
    pipeline = load(given.file, _params_from_outside(given, text), root=given.root, language=given.lang, text=text)
    report = pipeline.validate("static")
    if not report.errors and (requests := pipeline.help_requests()):
        for call, instance in requests:
            print(pipeline.help(call.reference.text, instance))
        return HELP
    if report.errors:
        raise InvalidFileError(report)
    if report.problems:
        print(report.to_text(given.lang), file=sys.stderr)
    return _run_checked(pipeline, given)


def _run_checked(pipeline: "Pipeline", given: argparse.Namespace) -> int:
    from atp.compile.options import CompileOptions
    from atp.runtime.debugging import StoppedByUserError
    from atp.runtime.profiling import StepProfile

    stage, line = _debug_place(given.debug, pipeline)
    options = CompileOptions(given.limit, stage, line, given.profile)
    profile = StepProfile()
    built = pipeline.build(
        seed=given.seed if given.seed is not None else _platform("get_seed"),
        out=given.out or _platform("get_artifacts_dir") or "atp-run",
        device=given.device or _platform("get_device"),
        resumed=given.resume is not None,
        options=options,
        observers=_observers(profile),
        local_platform=given.limit is not None,
    )
    built.stage(given.stage) if given.stage else built.main  # a wrong name is an error of the call, not of the run
    if given.resume is not None:
        built.resume(given.resume)  # so is a wrong checkpoint
    try:
        result = built.run(given.stage)
    except StoppedByUserError as stopped:
        print(stopped, file=sys.stderr)
        return FAILED
    except Exception as error:  # noqa: BLE001 - anything may happen in a run; it is shown with its step
        _print_failure(error, pipeline, given)
        return FAILED
    finally:
        if given.profile:
            profile.stop()
            print(profile.to_text(), file=sys.stderr)
    if given.format == "json":
        print(json.dumps({"result": result}, default=str, ensure_ascii=False))
    elif result is not None:
        print(result)
    return OK


def _observers(profile: Any) -> "Observers":
    from atp.compile.building import Observers
    from atp.runtime.debugging import DebugStopper

    return Observers(DebugStopper(), profile)


def _print_failure(error: BaseException, pipeline: "Pipeline", given: argparse.Namespace) -> None:
    from atp.runtime.failures import failure_record, failure_text, place_of_failure

    place = place_of_failure(error, pipeline.sources)
    traceback.print_exception(error)
    if given.format == "json":
        print(json.dumps([failure_record(error, place)], ensure_ascii=False, indent=1))
    else:
        print("\n" + failure_text(error, place, pipeline.sources), file=sys.stderr)


def _debug_place(text: str | None, pipeline: "Pipeline") -> tuple[str | None, int | None]:
    if not text:
        return None, None
    stage, _, line = text.partition(":")
    stages = pipeline.instance.model.stages
    if stage not in stages or (line and not line.isdigit()):
        raise ValueError(f"--debug takes STAGE or STAGE:LINE; stages: {', '.join(stages)}")
    return stage, int(line) if line else None


def _params_from_outside(given: argparse.Namespace, text: str) -> dict[str, ParamValue]:
    """The workstation's form first, then `--set`. Parameters of the form that the file lacks are left out."""
    params: dict[str, ParamValue] = {}
    known = parse_file(text, given.file, Problems()).params if given.set or os.environ.get("ARM_RUN_DIR") else {}
    if os.environ.get("ARM_RUN_DIR"):
        for group, values in (_platform("get_train_params") or {}).items():
            for name, value in values.items():
                params |= {key: value for key in (f"{group}.{name}", name) if key in known}
    for assignment in given.set:
        name, sign, value = str(assignment).partition("=")
        if not sign:
            raise ValueError(f"--set takes NAME=VALUE, got {assignment!r}")
        params[name] = set_value(known.get(name), value)  # a shell takes quotes away: the file says what is meant
    return params


def _platform(function: str) -> Any:
    """A value from PlatformAPI inside a run of the workstation, None outside of one."""
    if not os.environ.get("ARM_RUN_DIR"):
        return None
    try:
        return getattr(importlib.import_module("PlatformAPI"), function)()
    except ImportError:
        return None


if __name__ == "__main__":
    sys.exit(main())
