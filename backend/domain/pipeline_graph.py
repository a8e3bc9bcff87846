"""A graph of a pipeline with some of its frames closed, in the dot language. Pure; drawing is the browser's."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from atp.graphs.dot import dot_from_graph
from atp.graphs.graph import Graph, GraphCluster, GraphEdge, GraphNode


def drawn(graph: Graph, toggled: Collection[str], file: str, folder: str) -> str:
    """The dot text. Frames of called stages are closed and the others open, but for those that are `toggled`.

    Nodes lead to their lines in `file`, or in another file of `folder` (then relative to it, in the link).
    """
    linked = [_linked(node, file, folder) for node in graph.nodes]
    closed = {cluster.id for cluster in graph.clusters if bool(cluster.caller) != (cluster.id in toggled)}
    return dot_from_graph(folded(replace(graph, nodes=linked), closed), frame_links=True)


def _linked(node: GraphNode, file: str, folder: str) -> GraphNode:
    if node.file == file or not node.line:
        return node
    if not node.file.startswith(f"{folder}/"):
        return replace(node, line=0)
    return replace(node, details={**node.details, "file": node.file.removeprefix(f"{folder}/")})


def folded(graph: Graph, closed: Collection[str]) -> Graph:
    """The graph with each closed frame as one node, or inside the node that calls it; edges end there instead."""
    by_id = {cluster.id: cluster for cluster in graph.clusters}
    nodes: dict[str, GraphNode] = {}
    place: dict[str, str] = {}
    for node in graph.nodes:
        frame = _outermost_closed(node.cluster, by_id, closed)
        if frame is None:
            shown = node
        elif frame.caller:
            shown = _closed_call(nodes[frame.caller], frame)
        else:
            shown = _stand_in(frame)
        nodes[shown.id] = shown
        place[node.id] = shown.id
    clusters = [cluster for cluster in graph.clusters if _outermost_closed(cluster.id, by_id, closed) is None]
    return Graph(graph.kind, graph.name, list(nodes.values()), _edges(graph.edges, place), clusters)


def _outermost_closed(
    cluster_id: str, by_id: Mapping[str, GraphCluster], closed: Collection[str]
) -> GraphCluster | None:
    found = None
    while cluster_id:
        cluster = by_id[cluster_id]
        if cluster_id in closed:
            found = cluster
        cluster_id = cluster.parent
    return found


def _stand_in(frame: GraphCluster) -> GraphNode:
    return GraphNode(
        f"frame_{frame.id}", "frame", f"▸ {frame.label}", cluster=frame.parent, details={"frame": frame.id}
    )


def _closed_call(caller: GraphNode, frame: GraphCluster) -> GraphNode:
    if "frame" in caller.details:
        return caller
    return replace(caller, label=f"▸ {caller.label}", details={**caller.details, "frame": frame.id})


def _edges(edges: list[GraphEdge], place: Mapping[str, str]) -> list[GraphEdge]:
    kept: dict[tuple[str, str, str, str], GraphEdge] = {}
    for edge in edges:
        moved = replace(edge, source=place[edge.source], target=place[edge.target])
        is_inside = moved.source == moved.target and edge.source != edge.target
        label = "" if moved.kind == "loop" else moved.label
        if not is_inside:
            kept.setdefault((moved.source, moved.target, moved.kind, label), moved)
    return list(kept.values())
