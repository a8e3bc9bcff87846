"""A graph as data, and the formats it can be written in."""

import json
from dataclasses import asdict, dataclass, field

FORMATS = ("json", "mermaid", "dot", "svg")
NODES_MAX = 3000


@dataclass
class GraphNode:
    """One node. `line` and `column` count from 1 and are 0 for a service node. `details` depend on the kind."""

    id: str
    kind: str
    label: str
    file: str = ""
    line: int = 0
    column: int = 0
    cluster: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    details: dict[str, object] = field(default_factory=dict)


@dataclass
class GraphEdge:
    """One edge. Kinds: `path` (order), `data`, `loop`, `yes`, `no`, `needs`."""

    source: str
    target: str
    kind: str
    label: str = ""


@dataclass
class GraphCluster:
    """A frame around nodes: an inline stage, a loop, a `with`, an opened stage (`caller` is the node of its call)."""

    id: str
    label: str
    parent: str = ""
    caller: str = ""


@dataclass
class Graph:
    """Nodes in the order of the file, edges, frames."""

    kind: str
    name: str
    nodes: list[GraphNode] = field(default_factory=list)
    edges: list[GraphEdge] = field(default_factory=list)
    clusters: list[GraphCluster] = field(default_factory=list)

    def chain(self) -> list[str]:
        """Labels of the nodes in the order of the calculation."""
        return [node.label for node in self.nodes]

    def to(self, form: str) -> str:
        """The graph as text. Raises ValueError for an unknown format, GraphvizMissingError for svg without Graphviz."""
        if form == "json":
            return json.dumps(asdict(self), ensure_ascii=False, indent=1)
        if form == "mermaid":
            from atp.graphs.mermaid import mermaid_from_graph

            return mermaid_from_graph(self)
        if form not in FORMATS:
            raise ValueError(f"there is no graph format {form!r}; there are {', '.join(FORMATS)}")
        from atp.graphs.dot import dot_from_graph, svg_from_dot

        text = dot_from_graph(self)
        return text if form == "dot" else svg_from_dot(text)
