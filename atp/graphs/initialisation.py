"""The graph of initialisation: who needs whom, in which order things are created."""

from atp.compile.bindings import inner_file
from atp.diagnostics import Place
from atp.graphs.graph import Graph, GraphEdge, GraphNode
from atp.instances import Instance, creation_order
from atp.model.values import Call, ListValue, MapValue, OuterValue, Reference, Value
from atp.runtime.checkpoint import is_stateful
from atp.validation.checker import Checker


def initialisation_graph(instance: Instance, checker: Checker | None = None) -> Graph:
    """One node per component and inner component; edges from the user to what it needs, named by the argument."""
    graph = Graph("init", instance.model.file)
    order = [name for name in creation_order(instance) if name in instance.components]
    for name in instance.components:
        _Drawer(graph, instance).component(name, order.index(name))
        cls = checker.component(name).cls if checker else None
        node = next(node for node in graph.nodes if node.id == name)
        node.details["stateful"] = is_stateful(cls) if cls else None
    return graph


class _Drawer:
    def __init__(self, graph: Graph, instance: Instance) -> None:
        self._graph, self._instance = graph, instance

    def component(self, name: str, order: int) -> None:
        component = self._instance.components[name]
        value = component.value
        kind = "pipeline" if inner_file(self._instance, name) else "component" if isinstance(value, Call) else "value"
        self._node(name, kind, f"@{name}", value, component.place, order)
        self._arguments(name, value)

    def _node(self, node_id: str, kind: str, label: str, value: Value, place: Place, order: int | None) -> None:
        reference = value.reference if isinstance(value, Call) else value
        text = reference.text if isinstance(reference, Reference) else ""
        is_library = isinstance(reference, Reference) and reference.kind == "library"
        path = reference.path if isinstance(reference, Reference) else ()
        details: dict[str, object] = {
            "ref": text,
            "class": path[-1] if path and is_library else "",
            "module": ".".join(path[:-1]) if is_library else "",
            "order": order,
        }
        outputs = [text] if text else []
        self._graph.nodes.append(
            GraphNode(node_id, kind, label, place.file, place.line + 1, place.column + 1, "", [], outputs, details)
        )

    def _arguments(self, user: str, value: Value) -> None:
        if isinstance(value, Call):
            for index, part in enumerate(value.arguments.positional):
                self._need(user, str(index), part)
            for argument in value.arguments.named:
                self._need(user, argument.name, argument.value)
        elif isinstance(value, ListValue | MapValue | Reference | OuterValue):
            self._need(user, "", value)

    def _need(self, user: str, argument: str, value: Value) -> None:
        if isinstance(value, OuterValue):
            return
        if isinstance(value, Reference):
            known = (*self._instance.components, *self._instance.model.stages)
            if value.kind == "component" and value.name in self._instance.components and value.name in known:
                self._graph.edges.append(GraphEdge(user, value.name, "needs", argument))
        elif isinstance(value, Call):
            inner = f"{user}.{argument or 'value'}"
            self._node(inner, "inner component", value.reference.text, value, value.place, None)
            self._graph.edges.append(GraphEdge(user, inner, "needs", argument))
            self._need(inner, "", value.reference)
            self._arguments(inner, value)
        elif isinstance(value, ListValue):
            for index, item in enumerate(value.items):
                self._need(user, f"{argument}.{index}" if argument else str(index), item)
        elif isinstance(value, MapValue):
            for key, item in value.items:
                self._need(user, f"{argument}.{key.value}" if argument else str(key.value), item)
