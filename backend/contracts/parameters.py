"""Typed parameters of a solution: what the form shows and what a script receives."""

from typing import Literal

from backend.contracts.base import Contract, Language

ParameterType = Literal["int", "float", "bool", "str", "choice"]
ParameterValue = bool | int | float | str
Description = str | dict[Language, str]
"""One text for every reader, or a text by language."""
ParameterValues = dict[str, dict[str, ParameterValue]]


class Parameter(Contract):
    """One parameter. `minimum` and `maximum` are inclusive and belong to numbers; `choices` belong to `choice`."""

    group: str = "basic params"
    name: str
    type: ParameterType
    default: ParameterValue
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    description: Description = ""

    def description_in(self, language: Language) -> str:
        """The text for a reader of this language; where there is none, that of the other."""
        if isinstance(self.description, str):
            return self.description
        return self.description.get(language) or next(filter(None, self.description.values()), "")


class ParameterSchema(Contract):
    """Parameters of the two launch files, in the order in which the form shows them."""

    train: tuple[Parameter, ...] = ()
    test: tuple[Parameter, ...] = ()
