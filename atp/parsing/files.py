"""A whole file."""

from atp.diagnostics import Place, Problems
from atp.model.files import Component, FileModel
from atp.names import RESERVED, is_name
from atp.parsing.params import parse_params
from atp.parsing.stages import is_stage, parse_stage
from atp.parsing.values import parse_value
from atp.reading.documents import read_document
from atp.reading.nodes import Mapping, Scalar

FORMAT = 1


def parse_file(text: str, file: str, problems: Problems) -> FileModel:
    """Text to model. What is wrong goes to `problems`; never raises for a bad text."""
    document = read_document(text, file, problems)
    start = Place(file, 0, 0, 1)
    model = FileModel(file, document.lines, start)
    root = document.root
    if root is None:
        if not problems.has_errors:
            problems.add("E100.root", start)
        return model
    if not isinstance(root, Mapping):
        if not problems.has_errors:
            problems.add("E100.root", root.place)
        return model
    model.place = root.place
    _check_format(root, problems)
    for key, node in root.entries:
        if key.is_broken or key.text == "atp":
            continue
        if key.text == "params":
            model.params = parse_params(node, problems)
        elif key.text in RESERVED:
            problems.add("E405.reserved", key.place, None, name=key.text)
        elif not is_name(key.text):
            problems.add("E505.name", key.place, None, name=key.text[:40])
        else:
            errors_before = problems.error_count()
            if isinstance(node, Mapping) and is_stage(node):
                model.stages[key.text] = parse_stage(key, node, problems)
            else:
                model.components[key.text] = Component(key.text, key.place, parse_value(node, problems))
            if problems.error_count() > errors_before:
                model.broken.add(key.text)
    return model


def _check_format(root: Mapping, problems: Problems) -> None:
    version = root.get("atp")
    if version is None:
        problems.add("E100.version", Place(root.place.file, root.place.line, root.place.column, root.place.column + 1))
    elif not isinstance(version, Scalar) or version.value != FORMAT or isinstance(version.value, bool):
        problems.add("E100.version", version.place)
