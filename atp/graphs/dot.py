"""Graphviz: the dot language, and SVG by the local `dot` program."""

import shutil
import subprocess
from urllib.parse import quote

from atp.graphs.graph import Graph, GraphEdge, GraphNode

_TIMEOUT_S = 60
_STYLES = {
    "path": "color=black",
    "data": 'color="#2a7ab0", fontcolor="#2a7ab0", constraint=false',
    "loop": 'style=dashed, constraint=false, label="loop"',
    "yes": "color=black",
    "no": "color=black",
    "needs": "color=black",
}
_SHAPES = {
    "if": "diamond",
    "break": "diamond",
    "iterator": "ellipse",
    "service": "note",
    "stage": "component",
    "frame": "tab",
}


class GraphvizMissingError(RuntimeError):
    """The program `dot` is not installed or failed."""


def dot_from_graph(graph: Graph, frame_links: bool = False) -> str:
    """The graph in the dot language. A node carries its line as `URL="#line-N"`, a frame `#frame-ID` if asked to.

    A node with a `file` among its details adds `/file-PATH`, percent-encoded.
    """
    direction = "LR" if graph.kind == "init" else "TB"
    lines = [f"digraph {_quoted(graph.name)} {{", f'  rankdir={direction}; node [shape=box, fontname="Arial"];']
    lines += ['  edge [fontname="Arial", fontsize=10]; graph [fontname="Arial"];']
    lines += _cluster_lines(graph, "", "  ", frame_links)
    lines += [_edge_line(edge) for edge in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _cluster_lines(graph: Graph, parent: str, indent: str, frame_links: bool) -> list[str]:
    lines = [indent + _node_line(node) for node in graph.nodes if node.cluster == parent]
    for cluster in graph.clusters:
        if cluster.parent == parent:
            lines.append(f"{indent}subgraph {_quoted('cluster_' + cluster.id)} {{")
            link = f" URL={_quoted('#frame-' + cluster.id)};" if frame_links else ""
            lines.append(f"{indent}  label={_quoted(cluster.label)};{link}")
            lines += _cluster_lines(graph, cluster.id, indent + "  ", frame_links)
            lines.append(f"{indent}}}")
    return lines


def _node_line(node: GraphNode) -> str:
    parts = [node.label]
    if "ref" in node.details:  # of the graph of initialisation: what it is made from
        parts += [output for output in node.outputs if output != node.label]
    else:
        parts += ["input: " + ", ".join(node.inputs)] if node.inputs else []
        parts += ["output: " + ", ".join(node.outputs)] if node.outputs else []
    shape = _SHAPES.get(node.kind, "box")
    link = f", URL={_quoted(_link(node))}" if _link(node) else ""
    link += f", id={_quoted(node.id)}"
    return f"{_quoted(node.id)} [label={_quoted(chr(10).join(parts))}, shape={shape}{link}];"


def _link(node: GraphNode) -> str:
    """Where a click leads: the line (of another file, where one is named), the closed frame of the node, or both."""
    parts = [f"line-{node.line}"] if node.line else []
    parts += [f"frame-{node.details['frame']}"] if "frame" in node.details else []
    parts += [f"file-{quote(str(node.details['file']), safe='')}"] if "file" in node.details and node.line else []
    return "#" + "/".join(parts) if parts else ""


def _edge_line(edge: GraphEdge) -> str:
    label = f", label={_quoted(edge.label)}" if edge.label and edge.kind != "loop" else ""
    return f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [{_STYLES[edge.kind]}{label}];"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def svg_from_dot(text: str) -> str:
    """SVG of a graph. Raises GraphvizMissingError with what to install."""
    program = shutil.which("dot")
    if program is None:
        raise GraphvizMissingError("svg needs the program 'dot' of Graphviz (apt install graphviz); use mermaid or dot")
    done = subprocess.run(
        [program, "-Tsvg"], input=text, text=True, capture_output=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise GraphvizMissingError(f"dot failed: {done.stderr.strip()[:300]}")
    return done.stdout
