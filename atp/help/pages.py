"""Help of a library object, a component, a template or a file, as text."""

import inspect
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from atp.diagnostics import Place, Problems
from atp.instances import Instance, Workspace
from atp.messages import sentence
from atp.model.values import Call, OuterValue, Value
from atp.parsing.references import reference_from_text
from atp.registry import sockets_of
from atp.resolution.facts import annotations, declared_name
from atp.resolution.library import Library, LookupFailureError
from atp.settings import Settings


class NoHelpError(LookupError):
    """There is no page for a reference; the message says why."""


def help_page(library: Library, text: str, instance: Instance | None, settings: Settings, language: str = "en") -> str:
    """The page of `#name`, `@name`, `file.yaml`, or of the file itself for an empty text. Raises NoHelpError.

    In Russian the templates are explained from `atp/locales/things.ru.json`, other libraries in their own words.
    """
    if not text and instance:
        return file_page(instance, language)
    written = text if text[:1] in "#@" else f"#{text}"
    problems = Problems()
    reference = reference_from_text(written, Place("", 0, 0, len(written)), problems)
    if reference is None or reference.kind == "artefact":
        why = "; ".join(problem.message(language) for problem in problems.sorted())
        raise NoHelpError(why or sentence("help.none", {"text": text}, language))
    if reference.kind == "file":
        path = Path(reference.file)
        workspace = Workspace(settings, path)
        return file_page(workspace.open_main(path, path.read_text(encoding="utf-8"), {}), language)
    if reference.kind == "component":
        return _component_page(library, reference.path, instance, settings, language)
    try:
        return object_page(library.find(reference.path), ".".join(reference.path), language)
    except LookupFailureError as failure:
        problems.add(failure.key, reference.place, failure.hint, **failure.holes)
        found = problems.sorted()[0]
        raise NoHelpError(
            f"{found.code}: {found.message(language)}" + (f" ({found.hint_text(language)})" if found.hint else "")
        ) from None


def _component_page(
    library: Library, path: tuple[str, ...], instance: Instance | None, settings: Settings, language: str
) -> str:
    if instance is None or path[0] not in instance.components:
        legal = ", ".join(instance.model.names) if instance else "–"
        raise NoHelpError(sentence("help.no_component", {"name": path[0], "names": legal}, language))
    value: Value = instance.components[path[0]].value
    while isinstance(value, OuterValue):
        value = value.value
    if isinstance(value, Call) and value.reference.kind == "library":
        return help_page(library, value.reference.text, instance, settings, language)
    child = instance.child(value.reference) if isinstance(value, Call) else None
    if child:
        return file_page(child, language)
    raise NoHelpError(sentence("help.plain_value", {"name": path[0]}, language))


def object_page(target: Any, name: str, language: str = "en") -> str:
    """Real name, arguments with types and defaults, the first line of the description of each."""
    real = f"{getattr(target, '__module__', None) or name}.{getattr(target, '__qualname__', '')}".rstrip(".")
    if not hasattr(target, "__qualname__"):
        real = name
    lines = [f"{real} (*args and **kwargs):"]
    doc = inspect.getdoc(target) or ""
    translated = explanations(language).get(name, {})
    if translated or doc:
        lines.append("  " + (translated.get("") or doc.strip().splitlines()[0]))
    if doc and not translated and language != "en":
        lines.append(f"  ({_word('help.own_words', language)})")
    rows = argument_rows(target, doc + "\n" + (inspect.getdoc(getattr(target, "__init__", None)) or ""), language)
    rows = [(*row[:4], translated.get(row[1].lstrip("*"), row[4])) for row in rows]
    head = tuple(
        _word(column, language)
        for column in ("help.position", "help.argument", "help.type", "help.default", "help.description")
    )
    lines += table(head, rows) if rows else [f"  ({_word('help.unknown', language)})"]
    sockets = sockets_of(target)
    if sockets:
        given, taken = _word("help.input", language), _word("help.output", language)
        width = max(len(given), len(taken))
        lines += ["", f"{_word('help.sockets', language)}:"]
        lines += [f"  {given:{width}} {key}: {_type_text(kind, language)}" for key, kind in sockets.inputs.items()]
        lines += [f"  {taken:{width}} {key}: {_type_text(kind, language)}" for key, kind in sockets.outputs.items()]
    return "\n".join(lines)


@cache
def explanations(language: str) -> dict[str, dict[str, str]]:
    """What our own things are for, by name as it is written: the sentence under "", then each argument.

    In English their docstrings say it.
    """
    if language != "ru":
        return {}
    text = (files("atp") / "locales" / "things.ru.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = json.loads(text)
    return loaded


def _word(name: str, language: str) -> str:
    return sentence(name, {}, language)


def _type_text(kind: type | None, language: str) -> str:
    return declared_name(kind) if kind else _word("help.any", language)


def argument_rows(target: Any, doc: str, language: str = "en") -> list[tuple[str, ...]]:
    """Position, name, type, default, description for each argument; empty if the signature is unknown."""
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        return []
    hints = annotations(target)
    rows: list[tuple[str, ...]] = []
    for position, parameter in enumerate(parameters):
        kind = hints.get(parameter.name, parameter.annotation)
        is_unknown = kind is inspect.Parameter.empty
        is_required = parameter.default is inspect.Parameter.empty
        default = _word("help.required", language) if is_required else repr(parameter.default)[:40]
        is_positional = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        name = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            name, default = f"*{name}", ""
        elif parameter.kind is parameter.VAR_KEYWORD:
            name, default = f"**{name}", ""
        type_text = "" if is_unknown else kind if isinstance(kind, str) else declared_name(kind)
        place = str(position) if is_positional else ""
        rows.append((place, name, type_text[:40], default, _description(doc, parameter.name)))
    return rows


def _description(doc: str, name: str) -> str:
    found = re.search(rf"^\s*:?(?:param\s+)?\*{{0,2}}{re.escape(name)}\b\s*(?:\([^)]*\)+)?\s*:\s*(.+)$", doc, re.M)
    return found.group(1).strip()[:80] if found else ""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Columns of text."""
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]


def file_page(instance: Instance, language: str = "en") -> str:
    """Parameters, replaceable components and stages of a file."""
    model = instance.model
    lines = [f"{model.file} ({_word('help.pipeline', language)}):"]
    if model.params:
        lines += [f"{_word('help.params', language)}:"]
        rows: list[tuple[str, ...]] = [
            (name, param.type, repr(instance.params[name]), param.doc_in(language))
            for name, param in model.params.items()
        ]
        lines += table(
            tuple(_word(column, language) for column in ("help.name", "help.type", "help.value", "help.description")),
            rows,
        )
    if model.components:
        lines += [f"{_word('help.components', language)}:"]
        lines += [f"  {name}: {_made_by(component.value)}".rstrip(": ") for name, component in model.components.items()]
    if model.stages:
        lines += [f"{_word('help.stages', language)}:"]
        for stage in model.stages.values():
            inputs = ", ".join(given.name + ("" if given.default is None else " = …") for given in stage.inputs)
            outputs = ", ".join(item.name for item in stage.outputs)
            lines.append(
                f"  {stage.name}({inputs})"
                + (f" -> {outputs}" if outputs else "")
                + (f"  {stage.doc}" if stage.doc else "")
            )
    return "\n".join(lines)


def _made_by(value: Value) -> str:
    return value.reference.text if isinstance(value, Call) else getattr(value, "text", "")
