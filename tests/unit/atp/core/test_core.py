"""Templates: every one is registered with a help page, metrics unfold, heads keep the rows of classes they know."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import atp
from atp.core.detection import crops, renamed
from atp.core.learning import Loss, warmup_cosine
from atp.core.learning import optimizer as make_optimizer
from atp.core.measuring import Metrics
from atp.core.networks import Backbone, ClassificationHead, Network, SegmentationHead
from atp.core.old_weights import Distillation, class_names, take_weights
from atp.help.pages import help_page
from atp.registry import template_names
from atp.resolution.library import Library
from atp.settings import Settings

KINDS_OF_THE_SLIDES = {
    "Dataset", "Optimizer", "Scheduler", "Loss", "Augmentation", "Metrics", "Logger", "Backbone", "ClassificationHead",
    "SegmentationHead", "Network", "ConvBlock",
}  # fmt: skip


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reports of templates go to a file in the folder, as in a dry run."""
    from atp.runtime import local_platform

    monkeypatch.setattr(local_platform, "_file", tmp_path / "platform.jsonl")
    return tmp_path / "platform.jsonl"


def network(classes: list[str], seed: int = 0) -> Network:
    torch.manual_seed(seed)
    backbone = Backbone(width=4)
    return Network(backbone, ClassificationHead(backbone, classes))


def test_importing_atp_does_not_import_torch() -> None:
    code = "import atp, sys; assert not {'torch', 'atp.core'} & set(sys.modules), sorted(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_importing_the_templates_leaves_heavy_libraries_alone() -> None:
    code = "import atp.core, sys; assert not {'torchvision', 'torchmetrics', 'PlatformAPI'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_kind_of_the_slides_is_there() -> None:
    assert set(template_names()) >= KINDS_OF_THE_SLIDES


@pytest.mark.parametrize("name", sorted(KINDS_OF_THE_SLIDES | {"Loader", "Detector", "crops", "take_weights"}))
def test_help_page_has_a_sentence_every_argument_and_sockets(name: str, tmp_path: Path) -> None:
    page = help_page(Library((tmp_path,)), f"#core.{name}", None, Settings(tmp_path))
    head, sentence = page.splitlines()[:2]
    assert head.startswith("atp.core.") and len(sentence) > 20
    assert "sockets:" in page
    if "pos  argument" in page:
        arguments = page[page.index("pos  argument") : page.index("sockets:")].strip().splitlines()[1:]
        assert all(len(row.split()) > 3 for row in arguments), page


def test_wrong_type_into_a_socket_is_found_before_the_run(tmp_path: Path) -> None:
    text = """
atp: 1
backbone: {"#core.Backbone": {width: 4}}
head: {"#core.ClassificationHead": {backbone: "@backbone", classes: [a]}}
net: {"#core.Network": {backbone: "@backbone", head: "@head"}}
main:
  process:
    - {"#list": , output: images}
    - {"@net": $images, output: logits}
  output: logits
"""
    (problem,) = atp.load(tmp_path / "f.yaml", text=text).validate("static").errors
    assert problem.code == "E404" and "'images' is list, '@net' takes Tensor" in problem.message().replace("$", "")


def test_metrics_of_classification_unfold_over_classes_and_records(local: Path) -> None:
    metrics = Metrics("classification", ["a", "b", "c"], keep_records=True)
    logits = torch.tensor([[4.0, 0, 0], [0, 4, 0], [0, 4, 0], [4, 0, 0]])
    metrics(logits, torch.tensor([0, 1, 0, 0]))
    assert metrics.compute()["Accuracy"] == pytest.approx(0.75)
    assert metrics.by_class()["Recall"][:2] == pytest.approx([2 / 3, 1.0])
    assert [row["is_right"] for row in metrics.by_record()] == [True, True, False, True]
    metrics.report(over="classes")
    metrics.report(over="records", index=["1.png", "2.png", "3.png", "4.png"])
    lines = local.read_text().splitlines()
    assert len(lines) == 2 and '"Metrics by records"' in lines[1] and '"3.png"' in lines[1]
    with pytest.raises(ValueError, match="classes or records"):
        metrics.report(over="images")


def test_metrics_of_segmentation_give_a_value_for_each_image() -> None:
    metrics = Metrics("segmentation", ["background", "defect"], keep_records=True)
    masks = torch.zeros(2, 4, 4, dtype=torch.long)
    masks[:, :2] = 1
    answers = torch.stack([masks[0], torch.zeros(4, 4, dtype=torch.long)])
    metrics(torch.nn.functional.one_hot(answers, 2).movedim(-1, 1).float(), masks)
    first, second = metrics.by_record()
    assert first["JaccardIndex"] == 1.0 and second["JaccardIndex"] == pytest.approx(0.25)


def test_metrics_of_detection_agree_with_a_perfect_answer() -> None:
    metrics = Metrics("detection", ["a", "b"], keep_records=True)
    boxes = torch.tensor([[1.0, 1, 20, 20], [30, 30, 60, 60]])
    target = {"boxes": boxes, "labels": torch.tensor([0, 0])}
    metrics([{**target, "scores": torch.tensor([0.9, 0.8])}], [target])
    assert metrics.compute() == {"map": 1.0, "map_50": 1.0}
    a, b = metrics.by_class()["map"]
    assert a == 1.0 and b != b  # NaN: no box of class b
    assert metrics.by_record() == [{"map": 1.0, "map_50": 1.0, "objects": 2, "found": 2}]


def test_head_grows_by_a_class_and_keeps_the_others(tmp_path: Path) -> None:
    old = network(["pore", "crack"])
    torch.save(old.state_dict(), tmp_path / "old.pth")
    assert class_names(str(tmp_path / "old.pth"), ["crack", "spatter"]) == ["pore", "crack", "spatter"]
    new = take_weights(network(["spatter", "crack", "pore"], seed=1), str(tmp_path / "old.pth")).eval()
    images = torch.rand(2, 3, 32, 32)
    assert torch.allclose(new(images)[:, [2, 1]], old.eval()(images), atol=1e-6)
    with pytest.raises(ValueError, match=r"core\.take_weights"):
        network(["other", "crack"]).load_state_dict(old.state_dict())


def test_a_few_old_objects_and_the_old_network_keep_the_old_classes(tmp_path: Path) -> None:
    """Two colours of the old run, a third in the new one."""
    noise = torch.Generator().manual_seed(0)

    def batch(label: int, count: int) -> torch.Tensor:
        return torch.eye(3)[label][None, :, None, None] + 0.3 * torch.randn(count, 3, 32, 32, generator=noise)

    old = network(["red", "green"])
    learn(old, [(batch(0, 8), 0), (batch(1, 8), 1)], 40, None, 0.0)
    assert old(batch(0, 20)).argmax(1).sum() == 0 and old(batch(1, 20)).argmax(1).sum() == 20
    torch.save(old.state_dict(), tmp_path / "old.pth")

    def right(sample: list[tuple[torch.Tensor, int]]) -> list[float]:
        new = take_weights(network(["red", "green", "blue"], seed=2), str(tmp_path / "old.pth"))
        learn(new, sample, 40, old.eval(), 2.0)
        return [(new(batch(label, 20)).argmax(1) == label).float().mean().item() for label in (0, 1, 2)]

    blue = (batch(2, 24), 2)
    assert min(right([blue, (batch(0, 2), 0), (batch(1, 2), 1)])) >= 0.9
    assert right([blue])[:2] == [0.0, 0.0]  # without a single old object no weight of `keep` helps: the docs say so


def learn(net: Any, sample: list[tuple[torch.Tensor, int]], steps: int, old: Any, keep: float) -> None:
    optimizer, distil = make_optimizer(net, "Adam", lr=5e-3), Distillation()
    images = torch.cat([part for part, _ in sample])
    labels = torch.cat([torch.full((len(part),), label) for part, label in sample])
    net.train(old is None)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = net(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        if old is not None:
            loss = loss + keep * distil(logits, old(images).detach())
        loss.backward()
        optimizer.step()
    net.eval()


def test_segmentation_logits_have_the_size_of_the_images() -> None:
    backbone = Backbone(width=4)
    assert Network(backbone, SegmentationHead(backbone, ["defect"], 2))(torch.rand(1, 3, 48, 40)).shape == (
        1,
        2,
        48,
        40,
    )


def test_backbone_of_torchvision_gives_four_levels() -> None:
    backbone = Backbone("resnet18").eval()
    features = backbone(torch.rand(1, 3, 64, 64))
    assert [value.shape[1] for value in features.values()] == backbone.channels == [64, 128, 256, 512]


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "dice", "focal"])
def test_loss_falls_when_the_answer_is_right(name: str) -> None:
    targets = torch.randint(0, 3, (2, 4, 4))
    right = torch.nn.functional.one_hot(targets, 3).movedim(-1, 1).float() * 20 - 10
    assert Loss(name)(right, targets) < 0.1 < Loss(name)(-right, targets)


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(ValueError, match="AdamW"):
        make_optimizer(torch.nn.Linear(1, 1), "Adamw")
    with pytest.raises(ValueError, match="F1Score"):
        Metrics("classification", ["a", "b"], ["F1"])


def test_rate_rises_then_falls_to_zero() -> None:
    optimizer = make_optimizer(torch.nn.Linear(1, 1), "SGD", lr=1.0)
    schedule = warmup_cosine(optimizer, range(10), epochs=2, warmup=0.1)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:2] == [0.5, 1.0] and rates[2:] == sorted(rates[2:], reverse=True) and rates[-1] < 0.02


def test_crops_and_new_labels_keep_the_order_of_boxes() -> None:
    images = [torch.zeros(3, 20, 20), torch.ones(3, 30, 30)]
    answers = [
        {"boxes": torch.tensor([[0.0, 0, 9, 9]]), "labels": torch.tensor([0]), "scores": torch.tensor([0.5])},
        {"boxes": torch.tensor([[0.0, 0, 9, 9], [5, 5, 20, 20]]), "labels": torch.zeros(2), "scores": torch.ones(2)},
    ]
    cut = crops(images, answers, size=8)
    assert cut.shape == (3, 3, 8, 8) and cut.mean((1, 2, 3)).tolist() == [0.0, 1.0, 1.0]
    named = renamed(answers, torch.tensor([[0.0, 9], [9, 0], [0, 9]]))
    assert [answer["labels"].tolist() for answer in named] == [[1], [0, 1]]
    assert named[0]["scores"][0] == pytest.approx(0.5, abs=1e-3)
