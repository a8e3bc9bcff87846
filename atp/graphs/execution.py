"""The graph of execution of a stage: its steps in order, the data between them, loops and conditions."""

from dataclasses import dataclass, field

from atp.compile.bindings import inner_file
from atp.diagnostics import Place
from atp.graphs.graph import NODES_MAX, Graph, GraphCluster, GraphEdge, GraphNode
from atp.instances import Instance
from atp.model.steps import Block, BlockAction, BreakAction, CallAction, Expression, SetAction, Stage, Step
from atp.model.values import Call, Reference, Value, references_in

PATH_LABEL = "calculation path"
STOPPER = "debug stopper"


class GraphTooLargeError(ValueError):
    """So many stages are opened that nobody could read the graph."""


def execution_graph(instance: Instance, stage: str, depth: int = 0) -> Graph:
    """The graph of a stage. `depth` opens that many levels of the stages that it calls. Raises GraphTooLargeError."""
    drawer = _Drawer(instance, Graph("exec", stage), depth)
    drawer.stopper()
    drawer.block(instance.model.stages[stage].block)
    return drawer.graph


@dataclass
class _Drawer:
    """Walks the steps. `tails` are the nodes (with the kind of the edge) that the next node follows."""

    instance: Instance
    graph: Graph
    depth: int
    cluster: str = ""
    tails: list[tuple[str, str]] = field(default_factory=list)
    makers: dict[str, set[str]] = field(default_factory=dict)
    breaks: list[list[tuple[str, str]]] = field(default_factory=list)

    def stopper(self) -> None:
        self._add("service", STOPPER, None, [], [])

    def block(self, block: Block) -> None:
        outer = self.cluster
        for context in block.contexts:
            self._open("with " + _label(context))
        self._steps(block.before)
        if block.loop:
            self._loop(block)
        else:
            self._steps(block.each)
        self._steps(block.after)
        self.cluster = outer

    def _loop(self, block: Block) -> None:
        loop = block.loop
        assert loop is not None
        outputs = [item.name for item in loop.output.items] if loop.output else []
        inputs = _artefacts(references_in(loop.source))
        head = self._add("iterator", "iterator", loop.place, inputs, outputs, {"over": _label(loop.source)})
        outer = self.cluster
        self._open("each " + _label(loop.source))
        self.breaks.append([])
        self._steps(block.each)
        for tail, kind in self.tails:
            if tail != head:
                self.graph.edges.append(GraphEdge(tail, head, "loop", "no" if kind == "no" else ""))
        self.cluster = outer
        self.tails = [(head, "path"), *self.breaks.pop()]

    def _steps(self, steps: list[Step]) -> None:
        for step in steps:
            if step.condition is None:
                self._step(step)
                continue
            condition = step.condition
            inputs = _artefacts(condition.references)
            node = self._add("if", f"if {condition.text}", condition.place, inputs, [])
            before = {name: set(ids) for name, ids in self.makers.items()}
            self.tails = [(node, "yes")]
            self._step(step)
            yes_tails, yes_makers = self.tails, self.makers
            self.tails, self.makers = [(node, "no")], before
            self._steps(step.otherwise)
            self.tails = [*yes_tails, *self.tails]
            for name, ids in yes_makers.items():
                self.makers[name] = self.makers.get(name, set()) | ids

    def _step(self, step: Step) -> None:
        outer = self.cluster
        for context in step.contexts:
            self._open("with " + _label(context))
        action = step.action
        if isinstance(action, CallAction):
            self._call(step, action.call)
        elif isinstance(action, SetAction):
            inputs = _artefacts([ref for _, expression in action.items for ref in expression.references])
            self._add("set", step.label, step.place, inputs, [item.name for item, _ in action.items])
        elif isinstance(action, BreakAction):
            self._break(step, action.condition)
        elif isinstance(action, BlockAction):
            if not (action.block.contexts or action.block.loop or step.contexts):
                self._open("process")
            self.block(action.block)
        self.cluster = outer

    def _call(self, step: Step, call: Call) -> None:
        references = references_in(call)
        outputs = [item.name for item in step.output.items] if step.output else []
        stage, owner = self._called_stage(call.reference)
        kind = "stage" if stage else "call"
        node = self._add(kind, step.label, step.place, _artefacts(references), outputs)
        if stage and owner and self.depth > 0:
            inner = _Drawer(owner, self.graph, self.depth - 1, self.cluster, self.tails)
            inner._open(step.label, caller=node)
            inner.block(stage.block)
            self.tails = inner.tails

    def _called_stage(self, reference: Reference) -> tuple[Stage | None, Instance | None]:
        """The stage behind a call: of this file or of a file that a component is."""
        if reference.kind == "file":
            found, rest = self.instance.child(reference), reference.path
        elif reference.kind == "component":
            found, rest = self.instance, reference.path
        else:
            return None, None
        while found is not None and rest:
            if rest[0] in found.model.stages:
                return (found.model.stages[rest[0]], found) if len(rest) == 1 else (None, None)
            found, rest = inner_file(found, rest[0]), rest[1:]
        main = found.model.main_stage() if found else None
        return (found.model.stages[main], found) if found and main else (None, None)

    def _break(self, step: Step, condition: Expression) -> None:
        node = self._add("break", f"break {condition.text}", step.place, _artefacts(condition.references), [])
        if self.breaks:
            self.breaks[-1].append((node, "yes"))
        self.tails = [(node, "no")]

    def _add(
        self,
        kind: str,
        label: str,
        place: Place | None,
        inputs: list[str],
        outputs: list[str],
        details: dict[str, object] | None = None,
    ) -> str:
        if len(self.graph.nodes) >= NODES_MAX:
            raise GraphTooLargeError(f"the graph has over {NODES_MAX} nodes; open fewer stages")
        node = GraphNode(f"n{len(self.graph.nodes)}", kind, label, cluster=self.cluster, inputs=inputs, outputs=outputs)
        node.details = details or {}
        if place:
            node.file, node.line, node.column = place.file, place.line + 1, place.column + 1
        self.graph.nodes.append(node)
        for tail, edge_kind in self.tails:
            text = PATH_LABEL if edge_kind == "path" else edge_kind
            self.graph.edges.append(GraphEdge(tail, node.id, edge_kind, text))
        for name in inputs:
            for maker in sorted(self.makers.get(name, ())):
                self.graph.edges.append(GraphEdge(maker, node.id, "data", name))
        for name in outputs:
            self.makers[name] = {node.id}
        self.tails = [(node.id, "path")]
        return node.id

    def _open(self, label: str, caller: str = "") -> None:
        cluster = GraphCluster(f"c{len(self.graph.clusters)}", label, self.cluster, caller)
        self.graph.clusters.append(cluster)
        self.cluster = cluster.id


def _label(value: Value) -> str:
    if isinstance(value, Call):
        return value.reference.text
    return value.text if isinstance(value, Reference) else "…"


def _artefacts(references: list[Reference] | tuple[Reference, ...]) -> list[str]:
    """Names of artefacts in the order in which they are written."""
    found = [ref for ref in references if ref.kind == "artefact" and ref.name != "loop"]
    found.sort(key=lambda ref: (ref.place.line, ref.place.column))
    return list(dict.fromkeys(ref.name for ref in found))
