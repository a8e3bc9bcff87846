"""The weld detector in YAML only learns step by step as it does under Lightning, given the same batches and seed."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import atp
from PlatformAPI import run_context

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
TRAIN = {
    "epochs": 2,
    "batch_size": 2,
    "learning_rate": 4e-4,
    "weight_decay": 5e-4,
    "warmup_share": 0.05,
    "accumulate": 2,
}
SMALL = {
    **{f"train.{name}": value for name, value in TRAIN.items()},
    "model.is_pretrained": False, "model.finest_stride": "8", "data.short_side": 128, "data.long_side": 160,
    "data.workers": 0, "trainer.precision": "32-true",
}  # fmt: skip


@pytest.fixture
def run(run_folder: Callable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = run_folder("weld_defects")
    spec = {"format": 1, "kind": "train", "classes": made.classes, "params": {}}
    spec["samples"] = [{"role": "train"}, {"role": "val"}]
    (made.root / "run.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("ARM_RUN_DIR", str(made.root))
    monkeypatch.setattr(run_context, "_current", None)
    yield made
    if run_context._current is not None:
        run_context._current.writer.close()


def build(run: Any, **params: Any) -> Any:
    pipeline = atp.load(SOLUTION / "train_atp.yaml", params=SMALL | params)
    return pipeline.build(seed=3, out=run.root / "artifacts", device="cpu")


def losses_under_lightning(run: Any, precision: str, ema_decay: float) -> tuple[list[float], Any]:
    """The solution's own module under the Trainer, with the loaders and the network of a second build."""
    from defects_in_welds.model.detection_module import DetectionModule
    from defects_in_welds.training.quiet_libraries import silence

    silence()
    from defects_in_welds.training.fit import running_mean
    from lightning import Callback, Trainer
    from lightning.pytorch.callbacks import WeightAveraging

    losses: list[float] = []

    class Keep(Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            losses.append(float(outputs["loss"]) * TRAIN["accumulate"])

    built = build(run)
    averaging = [WeightAveraging(avg_fn=running_mean(ema_decay))] if ema_decay else []
    trainer = Trainer(
        accelerator="cpu", devices=1, max_epochs=TRAIN["epochs"], accumulate_grad_batches=TRAIN["accumulate"],
        gradient_clip_val=5.0, num_sanity_val_steps=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[Keep(), *averaging], precision=precision,
    )  # fmt: skip
    trainer.fit(
        DetectionModule(built["detector_net"], TRAIN), built["train_loader"]._loader, built["val_loader"]._loader
    )
    return losses, built["detector_net"]


@pytest.mark.parametrize(("precision", "ema_decay"), [("32-true", 0.0), ("bf16-mixed", 0.8)])
def test_losses_and_weights_are_those_of_lightning(run: Any, precision: str, ema_decay: float) -> None:
    built = build(run, **{"trainer.precision": precision, "train.ema_decay": ema_decay})
    built.run()
    ours = [event["v"] for event in run.events("point") if event["name"] == "train_loss"]
    theirs, network = losses_under_lightning(run, precision, ema_decay)
    assert len(ours) == len(theirs) == 6 and all(map(math.isfinite, ours))
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert torch.tensor(ours).std() > 0
    with built["average"].weights():  # Lightning leaves the mean in the network when it ends
        pairs = zip(built["detector_net"].parameters(), network.parameters(), strict=True)
        assert all(torch.allclose(own, other, rtol=1e-3, atol=1e-5) for own, other in pairs)


def test_the_time_ends_an_epoch_after_its_batch_and_it_is_still_validated(run: Any) -> None:
    build(run, **{"train.epochs": 50, "train.max_minutes": 1e-6}).run()
    names = [event["name"] for event in run.events("point")]
    assert names.count("train_loss") == names.count("map") == 1
    assert [event["v"] for event in run.events("progress")][-1] == 100


def test_images_much_bigger_than_the_network_are_shrunk_with_their_boxes(run: Any) -> None:
    from atp.core.datasets import Dataset

    small, whole = (Dataset("train", "detection", sides=sides) for sides in ([30, 40], []))
    (image, target), (_, truth) = small[0], whole[0]
    assert image.shape == (3, 60, 80) and len(truth["boxes"])
    assert torch.allclose(target["boxes"], truth["boxes"] / 2)
    left_alone, _ = Dataset("train", "detection", sides=[60, 80])[0]
    assert left_alone.shape == (3, 120, 160)
    with pytest.raises(ValueError, match="sides"):
        Dataset("train", "detection", sides=[60])


def test_it_stops_early_and_a_resumed_run_remembers_the_best(run: Any) -> None:
    changed = {"train.epochs": 5, "train.early_stopping_patience": 1, "train.learning_rate": 1e-6}
    stopped = build(run, **changed)
    best = stopped.run()
    passes = [event for event in run.events("point") if event["name"] == "map"]
    assert len(passes) == 2 and best == max(event["v"] for event in passes)
    resumed = build(run, **changed)
    assert resumed.run(resume="last") == best
    assert resumed["best"].is_over and resumed["epochs"].done_count == 3
