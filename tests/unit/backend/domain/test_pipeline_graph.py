"""Frames of a graph open and close."""

from pathlib import Path

import atp
from atp.graphs.graph import Graph
from backend.domain.pipeline_graph import drawn, folded

EXAMPLE = Path(atp.__file__).parent / "examples" / "classifier.yaml"
FOLDER = str(EXAMPLE.parent)


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
    text = drawn(main_graph(), (), str(EXAMPLE), FOLDER)
    assert 'URL="#line-56/frame-' in text
    assert 'URL="#frame-c0"' in text
    assert "/file-" not in text
    assert "#line-" not in drawn(main_graph(), (), "another.yaml", "/elsewhere")


def test_a_step_of_another_file_leads_to_that_file(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "step-1.yaml").write_text(EXAMPLE.with_name("seg_step.yaml").read_text())
    main = tmp_path / "deep" / "main.yaml"
    main.parent.mkdir()
    text = 'atp: 1\nstep: {"#../parts/step-1.yaml": }\nmain:\n  process: [{"@step": [1, 2]}]\n'
    graph = atp.load(main, text=text, root=tmp_path).graph("exec", "main", 4)
    frame = next(cluster.id for cluster in graph.clusters if cluster.caller)
    opened = drawn(graph, (frame,), str(main), str(tmp_path))
    assert 'URL="#line-10/file-parts%2Fstep-1.yaml"' in opened
    assert 'URL="#line-4"' in opened  # the call itself
    assert 'URL="#line-4/frame-' in drawn(graph, (), str(main), str(tmp_path))


def test_a_file_used_as_a_component_opens_in_the_graph_of_initialisation() -> None:
    main = EXAMPLE.with_name("seg.yaml")
    flat, graph = atp.load(main).graph("init"), atp.load(main).graph("init", depth=4)
    closed = drawn(graph, (), str(main), FOLDER)
    assert "loss_aux" not in closed
    assert folded(graph, called(graph)).edges == flat.edges
    frame = next(cluster.id for cluster in graph.clusters if cluster.caller == "step")
    assert f'label="▸ @step\\n#seg_step.yaml", shape=box, URL="#line-11/frame-{frame}"' in closed
    opened = drawn(graph, (frame,), str(main), FOLDER)
    assert 'URL="#line-6/file-seg_step.yaml", id="step/loss_aux"' in opened
    assert "step_val/loss_aux" not in opened


def test_toggled_frames_are_the_other_way_round() -> None:
    graph = main_graph()
    train = next(cluster for cluster in graph.clusters if cluster.label == "@train_epoch")
    assert "@model.zero_grad" not in drawn(graph, (), str(EXAMPLE), FOLDER)
    assert "@model.zero_grad" in drawn(graph, (train.id,), str(EXAMPLE), FOLDER)
