"""The shipped pipelines run end to end on a few generated welds, in a run folder as the workstation makes it."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import atp
from atp.core.networks import read_state
from PlatformAPI import run_context

SOLUTIONS = Path(__file__).parents[3] / "solutions"
SMALL_NETWORK = {"data.size": 32, "network.width": 4}
SMALL: dict[str, dict[str, Any]] = {
    "atp_classifier": {"learning.epochs": 2, "data.workers": 0, **SMALL_NETWORK},
    "atp_gan": {"learning.epochs": 1, "learning.batch_size": 4, "network.width": 4},
    "atp_segmentation": {"learning.epochs": 1, **SMALL_NETWORK},
    "atp_new_classes": {"learning.epochs": 2, **SMALL_NETWORK},
    "atp_detect_classify": {
        "learning.detector_epochs": 1, "learning.classifier_epochs": 1, "network.width": 4,
        "data.image_size": 96, "data.crop_size": 32, "chain.confidence": 0.0,
    },
}  # fmt: skip


class Run:
    """A run folder that PlatformAPI of this process reports to."""

    def __init__(self, folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.root, self._monkeypatch = folder, folder.root, monkeypatch
        monkeypatch.setenv("ARM_RUN_DIR", str(self.root))
        self.begin()

    def begin(self, **more: Any) -> None:
        """Write run.json, forget what was reported before."""
        spec = {"format": 1, "kind": "train", "classes": self.folder.classes, "params": {}, **more}
        spec["samples"] = [{"role": role} for role in ("train", "val", "test")]
        (self.root / "run.json").write_text(json.dumps(spec), encoding="utf-8")
        self.end()
        shutil.rmtree(self.root / "events", ignore_errors=True)
        self._monkeypatch.setattr(run_context, "_current", None)

    def end(self) -> None:
        """Close the files of the SDK."""
        if run_context._current is not None:
            run_context._current.writer.close()

    def pipeline(self, project: str, file: str = "train.yaml", **params: Any) -> Any:
        """Built with the small parameters that the file knows."""
        known = atp.load(SOLUTIONS / project / file).params
        given = {name: value for name, value in {**SMALL[project], **params}.items() if name in known}
        loaded = atp.load(SOLUTIONS / project / file, params=given)
        return loaded.build(seed=0, out=self.root / "artifacts", device="cpu")

    def values(self, graph: str) -> list[float]:
        """Points of a graph."""
        return [event["v"] for event in self.folder.events("point") if event["name"] == graph]

    def metrics(self) -> dict[str, Any]:
        """Data of test metrics by name."""
        return {event["name"]: event["data"] for event in self.folder.events("metric")}


@pytest.fixture
def new_run(run_folder: Callable, monkeypatch: pytest.MonkeyPatch) -> Any:
    made: list[Run] = []

    def make(project: str) -> Run:
        made.append(Run(run_folder(project), monkeypatch))
        return made[0]

    yield make
    made[0].end()


@pytest.mark.parametrize("project", SMALL)
def test_form_of_the_workstation_is_that_of_the_pipeline(project: str) -> None:
    pipeline = atp.load(SOLUTIONS / project / "train.yaml")
    assert str(pipeline.validate("static")) == ""
    declared = yaml.safe_load((SOLUTIONS / project / "params.yaml").read_text(encoding="utf-8"))
    assert declared == {"train": pipeline.param_form()}


def test_classifier_then_its_test_then_a_class_more(new_run: Callable[[str], Run]) -> None:
    run = new_run("atp_classifier")
    trained = run.pipeline("atp_classifier")
    trained.run()
    assert [event["v"] for event in run.folder.events("progress")] == [50.0, 100.0]
    losses = run.values("train_loss")
    assert len(losses) == 2 * len(trained["train_loader"]) and all(map(math.isfinite, losses))
    table = run.metrics()["Metrics by records"]
    assert table["columns"] == ["truth", "answer", "is_right", "confidence"]
    assert len(table["rows"]) == len(trained["val_set"]) == len(table["index"])
    assert run.metrics()["Metrics by classes"]["index"] == run.folder.classes

    old = list(run.folder.classes)
    (run.root / "weights").mkdir()
    shutil.move(run.root / "artifacts" / "classifier.pth", run.root / "weights" / "old.pth")
    run.begin(kind="test", weights=["weights/old.pth"])
    tested = run.pipeline("atp_classifier", "test.yaml")
    assert set(tested.run()) == {"Accuracy", "F1Score", "Precision", "Recall"}
    assert tested["net"].head.classes == old

    # The new project names one class that the old run never saw, and orders the rest in its own way.
    run.begin(weights=["weights/old.pth"], classes=["burn-through", *reversed(old)])
    grown = run.pipeline("atp_new_classes")
    assert grown["net"].head.classes == [*old, "burn-through"]
    state = read_state(run.root / "weights" / "old.pth")
    assert grown["net"].head.layer.weight[: len(old)].equal(state["head.layer.weight"])
    grown.run()
    assert any("burn-through" in event["text"] for event in run.folder.events("message") if event["level"] == "warning")
    assert len(run.values("old_loss")) == 2 * len(grown["train_loader"])
    assert all(p.grad is None for p in grown["old_net"].parameters())
    assert (run.root / "artifacts" / "classifier.pth").is_file()


def test_two_networks_learn_in_turns(new_run: Callable[[str], Run]) -> None:
    run = new_run("atp_gan")
    built = run.pipeline("atp_gan")
    before = [parameter.detach().clone() for parameter in built["generator_net"].parameters()]
    built.run()
    steps = len(run.values("judge_loss"))
    assert steps == len(built["loader"]) > 1 and len(run.values("generator_loss")) == (steps + 1) // 2
    assert any(not old.equal(new) for old, new in zip(before, built["generator_net"].parameters(), strict=True))


def test_segmentation_shares_its_step_between_training_and_validation(new_run: Callable[[str], Run]) -> None:
    run = new_run("atp_segmentation")
    built = run.pipeline("atp_segmentation")
    assert built["train_step"]["net"] is built["val_step"]["net"] is built["model"]
    built.run()
    table = run.metrics()["Metrics by classes"]
    assert table["index"] == ["background", *run.folder.classes] and table["columns"][0] == "JaccardIndex"
    assert len(run.metrics()["Metrics by records"]["rows"]) == 2 and run.values("val_loss")


def test_chain_of_networks_names_what_the_detector_finds(new_run: Callable[[str], Run]) -> None:
    run = new_run("atp_detect_classify")
    built = run.pipeline("atp_detect_classify")
    built.run()
    assert run.values("detector_loss") and run.values("classifier_loss")
    assert [event["v"] for event in run.folder.events("progress")] == [50.0, 100.0]
    results = run.folder.events("result")
    assert len(results) == 2
    named = {one["class"] for result in results for one in result["markup"]["annotation"]}
    assert named and named <= set(run.folder.classes)
    assert run.metrics()["Metrics by records"]["columns"][-2:] == ["objects", "found"]


def test_launch_file_of_the_workstation_runs_the_pipeline(run_folder: Callable) -> None:
    run = run_folder("atp_classifier")
    done = run.start("train", epochs=1, size=32, width=4)
    assert (done.returncode, done.stderr) == (0, "")
    assert [event["v"] for event in run.events("progress")] == [100.0]
    assert {"train_loss", "F1Score"} <= {event["name"] for event in run.events("point")}
    assert {event["path"] for event in run.events("artifact")} == {"classifier.pth", "last.pt"}
    assert torch.load(run.root / "artifacts" / "last.pt", weights_only=True)["targets"]["epochs"] == {"done": 1}
