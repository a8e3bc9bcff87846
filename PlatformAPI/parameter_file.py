"""Reads the defaults out of params.json or params.yaml (format: docs/sdk.md). Does not apply any override."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PlatformAPI.errors import RunFolderError

FILE_NAMES = ("params.json", "params.yaml", "params.yml")
TYPES = ("int", "float", "bool", "str", "choice")
LANGUAGES = ("en", "ru")
KEYS = ("type", "default", "min", "max", "choices", "description")

# YAML 1.1 reads 1e-3 (no dot) as text; nobody who writes it means text.
_EXPONENT_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")


def read_defaults(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """Defaults of section `kind` ("train" or "test") as {group: {name: value}}; {} if there is no file or section.

    Raises RunFolderError naming the file and the path of keys.
    """
    path = next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)
    if path is None:
        return {}
    document = _as_mapping(read_document(path), str(path))
    unknown = set(document) - {"train", "test"}
    if unknown:
        raise RunFolderError(f"{path}: unknown section {sorted(map(str, unknown))[0]!r}; known are train and test")
    groups = _as_mapping(document.get(kind) or {}, f"{path}: {kind}")
    return {str(name): _group_defaults(group, f"{path}: {kind}.{name}") for name, group in groups.items()}


def read_document(path: Path) -> Any:
    """The content of a JSON or YAML file. Raises RunFolderError if it is malformed or PyYAML is missing."""
    if path.suffix == ".json":
        try:
            return json.loads(path.read_bytes())
        except ValueError as error:
            raise RunFolderError(f"{path} is not valid JSON: {error}") from error
    try:
        import yaml
    except ImportError as error:
        raise RunFolderError(f"{path} needs PyYAML: run `pip install pyyaml`, or write it as JSON") from error
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunFolderError(f"{path} is not valid YAML: {error}") from error


def _group_defaults(group: Any, where: str) -> dict[str, Any]:
    group = _as_mapping(group or {}, where)
    if "default" in group and group.get("type") in TYPES:
        raise RunFolderError(f"{where} is a parameter outside of a group: put it into one, e.g. `basic params`")
    return {str(name): _default(entry, f"{where}.{name}") for name, entry in group.items()}


def _default(entry: Any, where: str) -> Any:
    if not isinstance(entry, Mapping):
        return _bare_value(entry, where)
    unknown = set(entry) - set(KEYS)
    if unknown:
        raise RunFolderError(f"{where}: unknown key {sorted(map(str, unknown))[0]!r}; known are {', '.join(KEYS)}")
    if "default" not in entry:
        raise RunFolderError(f"{where}: `default` is missing")
    _check_description(entry.get("description"), f"{where}.description")
    value = _bare_value(entry["default"], where)
    kind = entry.get("type", "choice" if "choices" in entry else None)
    if kind is not None:
        value = _typed_value(value, kind, entry["default"], where)
    _check_limits(value, entry, where)
    return value


def _check_description(description: Any, where: str) -> None:
    """A text, or a text by language; this SDK shows none of them, but the workstation would refuse the file."""
    if not isinstance(description, list | Mapping):
        return
    if not isinstance(description, Mapping) or not description:
        raise RunFolderError(f"{where} is {description!r}; write a text, or {{en: a text, ru: текст}}")
    for language, text in description.items():
        if language not in LANGUAGES:
            raise RunFolderError(f"{where}: unknown language {language!r}; known are {', '.join(LANGUAGES)}")
        if not isinstance(text, str):
            raise RunFolderError(f"{where}.{language} is {text!r}; write a text, in quotation marks if need be")


def _bare_value(value: Any, where: str) -> Any:
    if isinstance(value, str) and _EXPONENT_NUMBER.fullmatch(value):
        return float(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise RunFolderError(f"{where} is {value!r}; a value is a number, true or false, or text")


def _typed_value(value: Any, kind: Any, written: Any, where: str) -> Any:
    if kind not in TYPES:
        raise RunFolderError(f"{where}: unknown type {kind!r}; known are {', '.join(TYPES)}")
    if kind in ("str", "choice"):
        return str(written)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "float" and is_number:
        return float(value)
    if kind == "int" and is_number and value == int(value):
        return int(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    raise RunFolderError(f"{where}: the default {written!r} is not of type {kind}")


def _check_limits(value: Any, entry: Mapping[str, Any], where: str) -> None:
    choices = [str(choice) for choice in entry.get("choices") or []]
    if entry.get("type") == "choice" and not choices:
        raise RunFolderError(f"{where}: `choices` is missing")
    if choices and str(value) not in choices:
        raise RunFolderError(f"{where}: the default {value!r} is not one of {', '.join(choices)}")
    for key in ("min", "max"):
        limit = entry.get(key)
        if limit is None:
            continue
        limit = _bare_value(limit, f"{where}.{key}")
        if isinstance(value, str | bool) or isinstance(limit, str | bool):
            raise RunFolderError(f"{where}: `{key}` belongs to numbers")
        if value < limit if key == "min" else value > limit:
            raise RunFolderError(f"{where}: the default {value!r} is outside {key} {limit!r}")


def _as_mapping(value: Any, where: str) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    raise RunFolderError(f"{where} must hold keys and values, it holds {value!r}")
