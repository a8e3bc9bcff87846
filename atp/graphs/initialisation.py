"""The graph of initialisation: who needs whom, in which order things are created."""

from dataclasses import dataclass

from atp.compile.bindings import inner_file
from atp.diagnostics import Place
from atp.graphs.graph import NODES_MAX, Graph, GraphCluster, GraphEdge, GraphNode
from atp.instances import Instance, creation_order
from atp.model.values import Call, ListValue, MapValue, OuterValue, Reference, Value
from atp.runtime.checkpoint import is_stateful
from atp.validation.checker import Checker


def initialisation_graph(instance: Instance, checker: Checker | None = None, depth: int = 0) -> Graph:
    """One node per component and inner component; edges from the user to what it needs, named by the argument.

    `depth` opens that many levels of the files that components are, until the graph is too large to be read.
    """
    graph = Graph("init", instance.model.file)
    _Drawer(graph).file(_Frame(instance, "", "", depth))
    for node in graph.nodes:
        if checker and node.id in instance.components:
            cls = checker.component(node.id).cls
            node.details["stateful"] = is_stateful(cls) if cls else None
    return graph


@dataclass(frozen=True)
class _Frame:
    """A file being drawn: before the ids of its nodes comes `prefix`, around them is `cluster`."""

    instance: Instance
    prefix: str
    cluster: str
    depth: int


class _Drawer:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._frames: dict[int, _Frame] = {}

    def file(self, frame: _Frame) -> None:
        self._frames[id(frame.instance)] = frame
        components = frame.instance.components
        order = [name for name in creation_order(frame.instance) if name in components]
        for name, component in components.items():
            value = component.value
            is_file = inner_file(frame.instance, name) is not None
            kind = "pipeline" if is_file else "component" if isinstance(value, Call) else "value"
            node_id = frame.prefix + name
            self._node(frame, node_id, kind, f"@{name}", value, component.place, order.index(name))
            if isinstance(value, OuterValue):
                self._need(node_id, name, value, frame)
            else:
                self._inside(node_id, value, frame)

    def _node(
        self, frame: _Frame, node_id: str, kind: str, label: str, value: Value, place: Place, order: int | None
    ) -> None:
        if isinstance(value, OuterValue):
            value = value.value
        reference = value.reference if isinstance(value, Call) else value
        text = reference.text if isinstance(reference, Reference) else ""
        is_library = isinstance(reference, Reference) and reference.kind == "library"
        path = reference.path if isinstance(reference, Reference) else ()
        details: dict[str, object] = {
            "ref": text,
            "class": path[-1] if path and is_library else "",
            "module": ".".join(path[:-1]) if is_library else "",
            "order": order,
            "stateful": None,
        }
        outputs = [text] if text else []
        line, column = place.line + 1, place.column + 1
        node = GraphNode(node_id, kind, label, place.file, line, column, frame.cluster, [], outputs, details)
        self._graph.nodes.append(node)

    def _inside(self, user: str, value: Value, frame: _Frame) -> None:
        """What a component is made of: the components of its file where that is opened, else its arguments."""
        child = self._opened(value, frame)
        if child is None:
            self._arguments(user, value, frame)
            return
        label = next(node.label for node in self._graph.nodes if node.id == user)
        cluster = GraphCluster(f"c{len(self._graph.clusters)}", label, frame.cluster, user)
        self._graph.clusters.append(cluster)
        inner = _Frame(child, f"{user}/", cluster.id, frame.depth - 1)
        self.file(inner)
        self._graph.edges += [GraphEdge(user, inner.prefix + name, "needs") for name in child.components]

    def _opened(self, value: Value, frame: _Frame) -> Instance | None:
        reference = value.reference if isinstance(value, Call) else value
        if not isinstance(reference, Reference) or reference.kind != "file" or reference.path:
            return None
        return frame.instance.child(reference) if frame.depth > 0 and len(self._graph.nodes) < NODES_MAX else None

    def _arguments(self, user: str, value: Value, frame: _Frame) -> None:
        if isinstance(value, Call):
            for index, part in enumerate(value.arguments.positional):
                self._need(user, str(index), part, frame)
            for argument in value.arguments.named:
                self._need(user, argument.name, argument.value, frame)
        elif isinstance(value, ListValue | MapValue | Reference | OuterValue):
            self._need(user, "", value, frame)

    def _need(self, user: str, argument: str, value: Value, frame: _Frame) -> None:
        if isinstance(value, OuterValue):  # written in the file that uses this one, so it is drawn there
            assert isinstance(value.scope, Instance)
            self._need(user, argument, value.value, self._frames[id(value.scope)])
        elif isinstance(value, Reference):
            if value.kind == "component" and value.name in frame.instance.components:
                self._graph.edges.append(GraphEdge(user, frame.prefix + value.name, "needs", argument))
        elif isinstance(value, Call):
            inner = f"{user}.{argument or 'value'}"
            self._node(frame, inner, "inner component", value.reference.text, value, value.place, None)
            self._graph.edges.append(GraphEdge(user, inner, "needs", argument))
            self._need(inner, "", value.reference, frame)
            self._inside(inner, value, frame)
        elif isinstance(value, ListValue):
            for index, item in enumerate(value.items):
                self._need(user, f"{argument}.{index}" if argument else str(index), item, frame)
        elif isinstance(value, MapValue):
            for key, item in value.items:
                self._need(user, f"{argument}.{key.value}" if argument else str(key.value), item, frame)
