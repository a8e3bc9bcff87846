"""A whole file: parameters, components, stages."""

from dataclasses import dataclass, field

from atp.diagnostics import Place
from atp.model.steps import Stage
from atp.model.values import Value

ParamValue = None | bool | int | float | str | list["ParamValue"] | dict[str, "ParamValue"]


@dataclass(slots=True)
class Param:
    """One parameter. `path` is (name,) or (group, name)."""

    path: tuple[str, ...]
    place: Place
    value: ParamValue
    type: str
    min: float | None = None
    max: float | None = None
    choices: tuple[ParamValue, ...] = ()
    doc: str | dict[str, str] = ""
    """one text for every reader, or a text by language"""

    def doc_in(self, language: str) -> str:
        """The text for a reader of this language; where there is none, that of the other."""
        if isinstance(self.doc, str):
            return self.doc
        return self.doc.get(language) or next(filter(None, self.doc.values()), "")

    @property
    def name(self) -> str:
        """`lr` or `learning.lr`."""
        return ".".join(self.path)


@dataclass(slots=True)
class Component:
    """A named value, created once."""

    name: str
    place: Place
    value: Value


@dataclass(slots=True)
class FileModel:
    """What one file says."""

    file: str
    lines: tuple[str, ...]
    place: Place
    params: dict[str, Param] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # names whose value is in error: nothing follows from them

    @property
    def names(self) -> list[str]:
        """Names of components and stages."""
        return [*self.components, *self.stages]

    def main_stage(self) -> str | None:
        """`main`, else the only stage."""
        if "main" in self.stages:
            return "main"
        return next(iter(self.stages)) if len(self.stages) == 1 else None
