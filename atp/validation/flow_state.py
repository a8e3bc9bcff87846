"""Which artefacts exist at a step of a process: surely, maybe, later or never."""

from dataclasses import dataclass, field

from atp.diagnostics import Place, Problems, name_hint
from atp.model.steps import Block, CallAction, Output, OutputItem, SetAction, Stage, blocks_in, steps_in
from atp.model.values import Reference
from atp.resolution.facts import UNKNOWN, Fact

NESTING_MAX = 16  # Python has 20
LOOP_NAMES = ("index", "first")


@dataclass
class Artefact:
    """A name with what is known of its value. `maybe_since` is the line of the `if` under which alone it is made."""

    fact: Fact
    place: Place
    maybe_since: int | None = None


@dataclass
class Flow:
    """The artefacts of one stage while its steps are walked in order."""

    stage: str
    problems: Problems
    made_later: dict[str, Place]
    components: frozenset[str]
    known: dict[str, Artefact] = field(default_factory=dict)
    loop_depth: int = 0
    nesting: int = 0  # loops and contexts around the step
    guard_depth: int = 0  # how many conditions with every() are around the step
    condition_depth: int = 0  # how many conditions are around the step
    made: dict[str, Place] = field(default_factory=dict)
    read_names: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)

    def read(self, reference: Reference) -> Fact:
        """Facts of an artefact; reports E401, E402, W406 and a `$loop` outside of a loop."""
        name = reference.name
        if name == "loop":
            self._check_loop(reference)
            return UNKNOWN
        self.read_names.add(name)
        artefact = self.known.get(name)
        if artefact is None:
            if name in self.made_later:
                self.problems.add("E401", reference.place, None, name=name, line=self.made_later[name].line + 1)
            elif name in self.components:
                hint = name_hint(name + "_", [name], "@")
                self.problems.add("E402", reference.place, hint, name=name, stage=self.stage)
            else:
                hint = name_hint(name, {*self.known, *self.made_later}, "$")
                self.problems.add("E402", reference.place, hint, name=name, stage=self.stage)
            return UNKNOWN
        if artefact.maybe_since is not None and name not in self.reported:
            self.reported.add(name)
            self.problems.add("W406", reference.place, None, name=name, line=artefact.maybe_since + 1)
        return artefact.fact if len(reference.path) == 1 or artefact.fact.is_known else UNKNOWN

    def enter(self, count: int, place: Place) -> None:
        """Loops and contexts begin here; E100 where Python would refuse so many in one another."""
        if self.nesting <= NESTING_MAX < self.nesting + count:
            self.problems.add("E100.limit", place, None, what="limit.nesting", most=NESTING_MAX)
        self.nesting += count

    def make(self, item: OutputItem, fact: Fact) -> None:
        """An artefact gets a value here."""
        if item.name == "_":
            return
        if item.name in self.components:
            self.problems.add("E405", item.place, None, name=item.name)
        self.made.setdefault(item.name, item.place)
        self.known[item.name] = Artefact(fact, item.place)

    def make_output(self, output: Output | None, fact: Fact) -> None:
        """Names of an `output` get the parts of a result. E403 where the counts cannot agree."""
        if output is None:
            return
        given = fact.arity
        if output.kind == "unpack" and given is not None and given != len(output.items):
            self.problems.add("E403", output.place, None, named=len(output.items), given=given)
        elif given == 0:
            self.problems.add("E403", output.place, None, named=len(output.items), given=0)
        for item in output.items:
            self.make(item, fact if output.kind == "whole" else UNKNOWN)

    def _check_loop(self, reference: Reference) -> None:
        if self.loop_depth == 0:
            self.problems.add("E504", reference.place, None, name=reference.text)
        elif len(reference.path) != 2 or reference.path[1] not in LOOP_NAMES:
            wanted = ".".join(reference.path[1:])
            hint = name_hint(wanted, LOOP_NAMES)
            self.problems.add("E203", reference.place, hint, reference="$loop", type="loop", name=wanted)


def names_made_in(stage: Stage) -> dict[str, Place]:
    """Every artefact that a stage makes or takes, with the place where that is first written."""
    names = {given.name: given.place for given in stage.inputs}
    for item in items_made_in(stage.block):
        if item.name != "_":
            names.setdefault(item.name, item.place)
    return names


def items_made_in(block: Block) -> list[OutputItem]:
    """Every name that steps and loops of a block give a value to."""
    items: list[OutputItem] = []
    for inner in blocks_in(block):
        if inner.loop and inner.loop.output:
            items += inner.loop.output.items
    for step in steps_in(block):
        if isinstance(step.action, SetAction):
            items += [item for item, _ in step.action.items]
        if isinstance(step.action, CallAction) and step.output:
            items += step.output.items
    return items
