"""params.yaml / params.json: how a solution declares its parameters in a file.

train:                          # and the same under test:
  basic params:                 # group
    epochs: {default: 3, min: 1, max: 100, description: passes over the data}     # or {en: a text, ru: текст}
    device_note: text           # a bare value: its type is inferred, it has no range
"""

from typing import Any, get_args

import yaml

from backend.contracts.base import Language, Problem
from backend.contracts.parameters import Description, Parameter, ParameterSchema, ParameterType
from backend.domain.errors import InvalidInputError
from backend.domain.located_yaml import compose, line_of, scalar_value
from backend.domain.parameter_schema import completed_parameter, parameter_problems, schema_problems

FILE_NAMES = ("params.yaml", "params.yml", "params.json")
KINDS = ("train", "test")
FIELDS = ("type", "default", "min", "max", "choices", "description")
LANGUAGES: tuple[Language, ...] = get_args(Language)
TYPES: tuple[ParameterType, ...] = ("int", "float", "bool", "str", "choice")


class _FileError(Exception):
    def __init__(self, code: str, node: yaml.Node, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.line = line_of(node)
        self.params = params


class _Reader:
    """Walks the nodes of one file and gathers what is wrong with the lines where it is wrong."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.problems: list[Problem] = []

    def parameters(self, kind: str, node: yaml.Node) -> tuple[Parameter, ...]:
        """Every parameter of one launch file; a faulty one is left out and reported."""
        found: list[Parameter] = []
        for group, group_node, group_key in self._pairs(node, kind):
            for name, value, key in self._pairs(group_node, group):
                try:
                    parameter = completed_parameter(self._checked(kind, _parameter(group, name, value), key))
                except _FileError as error:
                    self._report(error, kind=kind, group=group, name=name)
                    continue
                if any((p.group, p.name) == (group, name) for p in found):
                    self._report(_FileError("parameter_twice", key), kind=kind, group=group, name=name)
                found.append(parameter)
            if not isinstance(group_node, yaml.MappingNode):
                self._report(_FileError("parameter_group_empty", group_key), kind=kind, group=group)
        return tuple(found)

    def top(self, root: yaml.Node) -> dict[str, yaml.Node]:
        """The sections train and test."""
        sections: dict[str, yaml.Node] = {}
        for name, value, key in self._pairs(root, self._file):
            if name in KINDS and name not in sections:
                sections[name] = value
            else:
                self._report(_FileError("parameter_section_unknown", key, section=name[:60]))
        return sections

    def _checked(self, kind: str, parameter: Parameter, key: yaml.Node) -> Parameter:
        for problem in parameter_problems(kind, parameter):
            raise _FileError(problem.code, key, **problem.params)
        return parameter

    def _pairs(self, node: yaml.Node, name: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
        if isinstance(node, yaml.ScalarNode) and scalar_value(node) is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            self._report(_FileError("parameter_mapping_expected", node, name=name[:60]))
            return []
        pairs: list[tuple[str, yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                pairs.append((str(key.value).strip(), value, key))
            else:
                self._report(_FileError("parameter_key_bad", key))
        return pairs

    def _report(self, error: _FileError, **params: object) -> None:
        self.problems.append(
            Problem(code=error.code, file=self._file, line=error.line, params={**params, **error.params})
        )


def parse_parameter_file(content: bytes, file: str) -> ParameterSchema:
    """The parameters that a file declares, in its order; an empty file declares none.

    Raises InvalidInputError('parameter_file_invalid') whose problems have file and line.
    """
    try:
        root = compose(content, file)
    except InvalidInputError as error:
        raise InvalidInputError("parameter_file_invalid", error.problems, file=file) from None
    if root is None:
        return ParameterSchema()
    reader = _Reader(file)
    found = {kind: reader.parameters(kind, node) for kind, node in reader.top(root).items()}
    for kind, parameters in found.items():
        too_many = [p for p in schema_problems(kind, parameters) if p.code == "parameters_too_many"]
        reader.problems.extend(problem.model_copy(update={"file": file}) for problem in too_many)
    if reader.problems:
        raise InvalidInputError("parameter_file_invalid", reader.problems, file=file)
    return ParameterSchema(train=found.get("train", ()), test=found.get("test", ()))


def _parameter(group: str, name: str, node: yaml.Node) -> Parameter:
    if isinstance(node, yaml.ScalarNode):
        value = _value(node)
        return Parameter(group=group, name=name, type=_type_of(value), default=value)
    if not isinstance(node, yaml.MappingNode):
        raise _FileError("parameter_value_not_scalar", node)
    fields = {str(key.value): (key, value) for key, value in node.value}
    for field, (key, _) in fields.items():
        if field not in FIELDS:
            raise _FileError("parameter_field_unknown", key, field=field[:60], known=", ".join(FIELDS))
    if "default" not in fields:
        raise _FileError("parameter_default_missing", node)
    default = _value(fields["default"][1])
    values: dict[str, Any] = {"group": group, "name": name, "default": default}
    if "choices" in fields:
        values["choices"] = _choices(fields["choices"][1])
    if "description" in fields:
        values["description"] = _description(fields["description"][1])
    for field, contract_field in (("min", "minimum"), ("max", "maximum")):
        if field in fields:
            values[contract_field] = _number(fields[field][1])
    values["type"] = _declared_type(fields, default)
    if values["type"] in ("choice", "str"):
        values["default"] = _text(fields["default"][1])
    return Parameter(**values)


def _declared_type(fields: dict[str, tuple[yaml.Node, yaml.Node]], default: object) -> ParameterType:
    if "type" not in fields:
        return "choice" if "choices" in fields else _type_of(default)
    written = _text(fields["type"][1])
    for known in TYPES:
        if written == known:
            return known
    raise _FileError("parameter_type_unknown", fields["type"][0], type=written[:60], known=", ".join(TYPES))


def _value(node: yaml.Node) -> bool | int | float | str:
    value = scalar_value(node) if isinstance(node, yaml.ScalarNode) else None
    if value is None:
        raise _FileError("parameter_value_not_scalar", node)
    return value


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _FileError("parameter_value_not_scalar", node)
    return str(node.value)


def _description(node: yaml.Node) -> Description:
    if isinstance(node, yaml.ScalarNode):
        return _text(node)
    if not isinstance(node, yaml.MappingNode):
        raise _FileError("parameter_description_bad", node)
    texts: dict[Language, str] = {}
    for key, value in node.value:
        language = next((known for known in LANGUAGES if str(key.value) == known), None)
        if language is None:
            given = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            raise _FileError("parameter_language_unknown", key, language=given[:60], known=", ".join(LANGUAGES))
        text = scalar_value(value) if isinstance(value, yaml.ScalarNode) else None
        if not isinstance(text, str):
            raise _FileError("parameter_description_not_text", key, language=language)
        texts[language] = text
    if not texts:
        raise _FileError("parameter_description_empty", node)
    return texts


def _number(node: yaml.Node) -> float:
    value = _value(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _FileError("parameter_limit_not_number", node, value=str(value)[:60])
    try:
        return float(value)
    except OverflowError:
        raise _FileError("parameter_limit_not_number", node, value=str(value)[:60]) from None


def _choices(node: yaml.Node) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise _FileError("parameter_choices_not_list", node)
    return tuple(_text(choice) for choice in node.value)


def _type_of(value: object) -> ParameterType:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "str"
