"""Mermaid text, for places that draw it by themselves."""

from atp.graphs.graph import Graph, GraphNode

_ARROWS = {"path": "-->", "data": "-.->", "loop": "-.->", "yes": "-->", "no": "-->", "needs": "-->"}
_SHAPES = {
    "if": ("{", "}"),
    "break": ("{", "}"),
    "iterator": ("([", "])"),
    "service": ("[/", "/]"),
    "stage": ("[[", "]]"),
}


def mermaid_from_graph(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    # A component may be named like a word of Mermaid (`graph`, `end`), so nodes get ids of their own.
    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TB", *_cluster_lines(graph, ids, "", "  ")]
    for edge in graph.edges:
        label = f"|{_text(edge.label)}|" if edge.label else ""
        lines.append(f"  {ids[edge.source]} {_ARROWS[edge.kind]}{label} {ids[edge.target]}")
    return "\n".join(lines) + "\n"


def _cluster_lines(graph: Graph, ids: dict[str, str], parent: str, indent: str) -> list[str]:
    lines = [indent + _node(node, ids[node.id]) for node in graph.nodes if node.cluster == parent]
    for cluster in graph.clusters:
        if cluster.parent == parent:
            lines.append(f"{indent}subgraph {cluster.id}[{_text(cluster.label)}]")
            lines += _cluster_lines(graph, ids, cluster.id, indent + "  ")
            lines.append(f"{indent}end")
    return lines


def _node(node: GraphNode, node_id: str) -> str:
    left, right = _SHAPES.get(node.kind, ("[", "]"))
    return f"{node_id}{left}{_text(node.label)}{right}"


def _text(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("#", "&#35;").replace('"', "&quot;")
    return f'"{escaped.replace("<", "&lt;").replace(">", "&gt;")}"'
