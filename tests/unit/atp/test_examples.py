"""The four files of the specification: valid, drawn as the slides draw them, compiled, run, resumed."""

import json
from pathlib import Path

import pytest

import atp
from atp.compile.options import CompileOptions

NAMES = ["classifier", "gan", "seg", "seg_step"]


@pytest.mark.parametrize("name", NAMES)
def test_example_has_no_errors_at_any_level(examples: Path, name: str) -> None:
    pipeline = atp.load(examples / f"{name}.yaml")
    for level in ("syntax", "static", "init"):
        assert pipeline.validate(level).errors == []


def test_execution_graph_of_train_epoch_is_the_chain_of_the_slides(examples: Path) -> None:
    graph = atp.load(examples / "classifier.yaml").graph("exec", stage="train_epoch")
    assert graph.chain()[:9] == [
        "debug stopper",
        "@model.train",
        "@model.zero_grad",
        "iterator",
        "@model",
        "@crit",
        "$loss.backward",
        "@optimizer.step",
        "@optimizer.zero_grad",
    ]
    assert graph.chain()[9:] == ["if every(4)", "@graph.log_point"]
    nodes = {node.label: node for node in graph.nodes}
    assert nodes["iterator"].outputs == ["images", "labels"]
    assert (nodes["@model"].inputs, nodes["@model"].outputs) == (["images"], ["model_out"])
    assert (nodes["@crit"].inputs, nodes["@crit"].outputs) == (["model_out", "labels"], ["loss"])
    assert nodes["$loss.backward"].inputs == ["loss"]
    order = [(edge.source, edge.target) for edge in graph.edges if edge.kind == "path"]
    assert order == [(f"n{i}", f"n{i + 1}") for i in range(9)]
    data = [(edge.source, edge.target, edge.label) for edge in graph.edges if edge.kind == "data"]
    assert data == [
        ("n3", "n4", "images"),
        ("n4", "n5", "model_out"),
        ("n3", "n5", "labels"),
        ("n5", "n6", "loss"),
        ("n5", "n10", "loss"),
    ]
    assert [edge.target for edge in graph.edges if edge.kind == "loop"] == ["n3", "n3"]


@pytest.mark.parametrize("kind", ["init", "exec"])
@pytest.mark.parametrize("form", ["json", "mermaid", "dot"])
def test_every_graph_has_every_format(examples: Path, kind: str, form: str) -> None:
    for name in NAMES:
        assert atp.load(examples / f"{name}.yaml").graph(kind).to(form)


def test_init_graph_names_classes_order_and_arguments(examples: Path) -> None:
    graph = json.loads(atp.load(examples / "seg.yaml").graph("init").to("json"))
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert nodes["net"]["details"]["class"] == "MultiHead" and nodes["step"]["kind"] == "pipeline"
    assert nodes["net.heads.main"]["kind"] == "inner component"
    assert nodes["backbone"]["details"]["order"] < nodes["net"]["details"]["order"]
    assert {"source": "net", "target": "backbone", "kind": "needs", "label": "backbone"} in graph["edges"]


def test_init_graph_opens_the_files_that_components_are(examples: Path) -> None:
    graph = atp.load(examples / "seg.yaml").graph("init", depth=1)
    nodes = {node.id: node for node in graph.nodes}
    frame = next(cluster for cluster in graph.clusters if cluster.caller == "step")
    assert {node.id for node in graph.nodes if node.cluster == frame.id} == {
        "step/net",
        "step/loss_main",
        "step/loss_aux",
    }
    loss = nodes["step_val/loss_aux"]
    assert (Path(loss.file).name, loss.line, loss.details["class"]) == ("seg_step.yaml", 6, "CrossEntropyLoss")
    edges = {(edge.source, edge.target, edge.label) for edge in graph.edges}
    assert {("step", "step/loss_main", ""), ("step/net", "net", "net")} <= edges  # replaced from outside
    assert "step/net.backbone" not in nodes, "what was replaced is not created"
    ends = {end for edge in graph.edges for end in (edge.source, edge.target)}
    assert ends <= set(nodes) and len(nodes) == len(graph.nodes)


def test_init_graph_draws_a_replaced_argument_in_the_file_that_gives_it(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text('atp: 1\nact: {"#torch.nn.ReLU": }\nnet: {"#torch.nn.Sequential": ["@act"]}\n')
    (tmp_path / "middle.yaml").write_text('atp: 1\nact: {"#torch.nn.Tanh": }\npart: {"#inner.yaml": {act: "@act"}}\n')
    text = 'atp: 1\nmodel: {"#middle.yaml": {act: {"#torch.nn.GELU": }}}\nmain: {process: ["@model.part.net"]}\n'
    graph = atp.load(tmp_path / "main.yaml", text=text, root=tmp_path).graph("init", depth=4)
    nodes = {node.id: node for node in graph.nodes}
    edges = {(edge.source, edge.target, edge.label) for edge in graph.edges}
    assert {("model/part/net", "model/part/act", "0"), ("model/part/act", "model/act", "act")} <= edges
    assert ("model/act", "model/act.act", "act") in edges
    assert (nodes["model/act.act"].cluster, Path(nodes["model/act.act"].file).name) == ("", "main.yaml")
    assert [cluster.parent for cluster in graph.clusters] == ["", graph.clusters[0].id]
    assert not {node.id for node in graph.nodes if node.details.get("class") == "Tanh"}


def test_called_stage_opens_on_request(examples: Path) -> None:
    pipeline = atp.load(examples / "classifier.yaml")
    assert "@crit" not in pipeline.graph("exec", "main").chain()
    assert "@crit" in pipeline.graph("exec", "main", depth=1).chain()


def test_classifier_learns_and_saves(examples: Path, tmp_path: Path) -> None:
    built = atp.load(examples / "classifier.yaml").build(seed=0, out="run", local_platform=True)
    assert built.run() > 0.5
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"best.pt", "last.pt"}
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "run" / "platform.jsonl").read_text().splitlines()]
    assert kinds.count("progress") == 5 and "point" in kinds


def test_two_networks_learn_in_turns(examples: Path) -> None:
    built = atp.load(examples / "gan.yaml").build(seed=0)
    before = [parameter.detach().clone() for parameter in built["gen"].parameters()]
    assert built.run("main") == 1
    assert any(not old.equal(new) for old, new in zip(before, built["gen"].parameters(), strict=True))


def test_segmentation_shares_the_net_and_takes_outer_params(examples: Path) -> None:
    built = atp.load(examples / "seg.yaml").build(seed=0)
    assert built["step"]["net"] is built["net"] is built["step_val"]["net"]
    source = atp.load(examples / "seg.yaml").source("main")
    assert "_step_main(images, masks)" in source
    assert float(built.run()) < 0.69


def test_limit_stops_every_loop(examples: Path) -> None:
    pipeline = atp.load(examples / "gan.yaml", params={"epochs": 50})
    built = pipeline.build(seed=0, options=CompileOptions(limit=2), local_platform=True)
    assert built.run() == 1


def test_resumed_training_equals_the_uninterrupted_one(examples: Path, tmp_path: Path) -> None:
    def weights(epochs: int, folder: str, resume: str | None) -> list[object]:
        params = {"epochs": epochs, "ckpt_dir": folder, "amp": False}
        built = atp.load(examples / "classifier.yaml", params=params).build(seed=3, local_platform=True)
        built.run(resume=resume)
        return [parameter.detach() for parameter in built["model"].parameters()]

    whole = weights(2, "whole", None)
    weights(1, "half", None)
    resumed = weights(2, "half", "last")
    assert all(a.equal(b) for a, b in zip(whole, resumed, strict=True))
