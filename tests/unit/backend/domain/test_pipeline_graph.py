"""Frames of a graph open and close."""

from pathlib import Path

import atp
from atp.graphs.graph import Graph
from backend.domain.pipeline_graph import drawn, folded

EXAMPLE = Path(atp.__file__).parent / "examples" / "classifier.yaml"


def main_graph() -> Graph:
    return atp.load(EXAMPLE).graph("exec", "main", 4)


def labels(graph: Graph) -> list[str]:
    return [node.label for node in graph.nodes]


def called(graph: Graph) -> set[str]:
    return {cluster.id for cluster in graph.clusters if cluster.caller}


def test_a_closed_stage_is_its_call_and_keeps_the_way_on() -> None:
    graph = main_graph()
    closed = folded(graph, called(graph))
    assert "▸ @train_epoch" in labels(closed)
    assert "@model.zero_grad" not in labels(closed)
    call = next(node for node in closed.nodes if node.label == "▸ @train_epoch")
    following = {node.id: node.label for node in closed.nodes}
    assert "if every(2)" in [following[edge.target] for edge in closed.edges if edge.source == call.id]


def test_nothing_closed_changes_nothing() -> None:
    graph = main_graph()
    assert folded(graph, ()) == graph


def test_a_closed_frame_is_one_node_without_an_edge_to_itself() -> None:
    graph = main_graph()
    loop = next(cluster for cluster in graph.clusters if cluster.label == "each @epochs")
    closed = folded(graph, {loop.id})
    assert "▸ each @epochs" in labels(closed)
    assert "@patience.update" not in labels(closed)
    frame = f"frame_{loop.id}"
    assert not [edge for edge in closed.edges if edge.source == edge.target == frame]
    ends = {node.id for node in closed.nodes}
    assert all(edge.source in ends and edge.target in ends for edge in closed.edges)
    assert len({(edge.source, edge.target, edge.kind, edge.label) for edge in closed.edges}) == len(closed.edges)


def test_drawn_links_nodes_to_lines_of_this_file_and_frames_to_themselves() -> None:
    text = drawn(main_graph(), (), str(EXAMPLE))
    assert 'URL="#line-56/frame-' in text
    assert 'URL="#frame-c0"' in text
    assert "#line-" not in drawn(main_graph(), (), "another.yaml")


def test_toggled_frames_are_the_other_way_round() -> None:
    graph = main_graph()
    train = next(cluster for cluster in graph.clusters if cluster.label == "@train_epoch")
    assert "@model.zero_grad" not in drawn(graph, (), str(EXAMPLE))
    assert "@model.zero_grad" in drawn(graph, (train.id,), str(EXAMPLE))
