"""How weld_defects trains: memory short, kill -9, the same seed, early stopping, running mean, anchors. Tiny data."""

import dataclasses
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from defects_in_welds.data.samples import Sample
from defects_in_welds.data.yolo_folder import YoloData, read_yolo_folder
from defects_in_welds.model import detection_module
from defects_in_welds.model.anchor_shapes import fit_anchor_shapes, k_means
from defects_in_welds.model.detection_module import DetectionModule
from defects_in_welds.model.detector import WeldDetector
from defects_in_welds.training.fit import Fitted, chosen_precision, fit
from defects_in_welds.training.memory import is_out_of_memory, smaller_batch
from defects_in_welds.training.platform_adapter import config_from_params
from defects_in_welds.training.quiet_libraries import silence
from defects_in_welds.training.time_budget import TimeBudget
from torchmetrics.detection import MeanAveragePrecision

SOLUTION = Path(__file__).parents[3] / "solutions" / "weld_defects"
TINY: dict[str, dict[str, Any]] = {
    "data": {"short_side": 96, "long_side": 128, "workers": 0, "language": "en"},
    "model": {"is_pretrained": False, "finest_stride": 8, "fpn_channels": 32},
    "train": {"epochs": 1, "batch_size": 3},
}


@pytest.fixture(autouse=True)
def quiet() -> None:
    """What the launch files do first; pytest takes the filters back after each test."""
    silence()


@pytest.fixture(scope="module")
def data(weld_folder: Path) -> YoloData:
    return read_yolo_folder(weld_folder)


def train(data: YoloData, outputs: Path, warned: list[str] | None = None, **changed: Any) -> Fitted:
    """`changed`: group__name=value."""
    params = {group: dict(values) for group, values in TINY.items()}
    for key, value in changed.items():
        group, name = key.split("__")
        params.setdefault(group, {})[name] = value
    config = config_from_params(params, SOLUTION / "configs", "cpu")
    warn = print if warned is None else warned.append
    return fit(config, data.classes, data.samples, outputs, warn=warn)


def history(fitted: Fitted) -> list[dict[str, float]]:
    return json.loads(fitted.history_path.read_text())["epochs"]


def checkpoint(outputs: Path, name: str = "last") -> dict[str, Any]:
    return torch.load(outputs / "checkpoints" / f"{name}.ckpt", weights_only=True)


class SmallMemory:
    """Stands for a GPU: a training step of more images than fit raises what CUDA raises, once `is_small` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fits: int, free_calls: int = 0) -> None:
        self.batches: list[int] = []
        forward = WeldDetector.forward

        def limited(detector: WeldDetector, images: list[Any], targets: Any = None) -> Any:
            if targets is not None:
                self.batches.append(len(images))
                if len(images) > fits and len(self.batches) > free_calls:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return forward(detector, images, targets)

        monkeypatch.setattr(WeldDetector, "forward", limited)


def test_short_memory_halves_the_batch_and_keeps_the_images_a_step(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, warned = SmallMemory(monkeypatch, fits=1), []
    train(data, tmp_path, warned, train__batch_size=4)
    # 4 does not fit, 2 does not, then four batches of one make the one step that six images give.
    assert memory.batches == [4, 2, 1, 1, 1, 1]
    assert checkpoint(tmp_path)["global_step"] == 1
    said = [one for one in warned if "ran out of memory" in one]
    assert len(said) == 2
    assert "batches of 4 images became 2" in said[0] and "effective batch stays 4" in said[0]
    assert "train.batch_size=1 train.accumulate=4" in said[1] and "from its start" in said[1]


def test_memory_short_in_the_second_epoch_keeps_the_first(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, warned = SmallMemory(monkeypatch, fits=1, free_calls=2), []
    fitted = train(data, tmp_path, warned, train__batch_size=3, train__epochs=2)
    assert memory.batches == [3, 3, 3, 1, 1, 1, 1, 1, 1]
    assert [one["epoch"] for one in history(fitted)] == [1, 2]
    assert checkpoint(tmp_path)["global_step"] == 4
    assert any("after epoch 1" in one for one in warned)


def test_no_memory_for_one_image_ends_with_advice(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallMemory(monkeypatch, fits=0)
    with pytest.raises(MemoryError, match=r"data\.short_side.*16-mixed"):
        train(data, tmp_path, train__batch_size=2)


def infinite_loss(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[int], bool]) -> None:
    """The loss of training step i, from 1, is not a number where `is_bad(i)`."""
    forward, count = WeldDetector.forward, itertools.count(1)

    def broken(detector: WeldDetector, images: list[Any], targets: Any = None) -> Any:
        answer = forward(detector, images, targets)
        return {k: v * math.nan for k, v in answer.items()} if targets is not None and is_bad(next(count)) else answer

    monkeypatch.setattr(WeldDetector, "forward", broken)


def test_a_step_with_an_infinite_loss_is_left_out(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infinite_loss(monkeypatch, lambda step: step == 1)
    train(data, tmp_path)
    weights = checkpoint(tmp_path)["state_dict"]
    assert all(value.isfinite().all() for value in weights.values())
    moments = checkpoint(tmp_path)["optimizer_states"][0]["state"]
    assert moments and all(one["step"] == 1 for one in moments.values()), "two steps, the first of them left out"


def test_a_loss_that_stays_infinite_ends_the_training_with_advice(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infinite_loss(monkeypatch, lambda step: True)
    monkeypatch.setattr(detection_module, "MOST_LEFT_OUT", 3)
    with pytest.raises(FloatingPointError, match=r"train\.learning_rate"):
        train(data, tmp_path, train__epochs=3)


def test_the_last_checkpoint_is_that_of_the_last_epoch_even_if_another_was_better(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_scores(monkeypatch, 0.5, 0.4, 0.4)
    train(data, tmp_path, train__epochs=3)
    assert [checkpoint(tmp_path, name)["epoch"] for name in ("best_model", "last")] == [0, 2]


def test_where_nothing_is_found_the_newest_epoch_is_kept(data: YoloData, tmp_path: Path) -> None:
    """A validation sample without a box scores 0 for ever: kept was the first epoch, whatever came after it."""
    nothing = [dataclasses.replace(one, boxes=(), labels=()) for one in data.samples["valid"]]
    train(YoloData(data.classes, data.samples | {"valid": nothing}), tmp_path, train__epochs=2)
    assert checkpoint(tmp_path, "best_model")["epoch"] == 1


def script_scores(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """The val_mAP of each epoch from now on."""
    rest = iter(scores)

    def scripted(metric: MeanAveragePrecision) -> dict[str, torch.Tensor]:
        score = torch.tensor(next(rest))
        return {"map": score, "map_50": score}

    monkeypatch.setattr(MeanAveragePrecision, "compute", scripted)


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_training_resumed_in_another_folder_keeps_the_best_of_before(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_moved: bool
) -> None:
    """As in the workstation, where each run has its own folder; Lightning forgets the best score then."""
    script_scores(monkeypatch, 0.5, 0.6, 0.4)
    train(data, tmp_path / "a", train__epochs=3)
    old = (tmp_path / "a").rename(tmp_path / "moved") if is_moved else tmp_path / "a"
    options = {"train__resume": str(old / "checkpoints" / "last.ckpt")}
    script_scores(monkeypatch, 0.3)
    fitted = train(data, tmp_path / "b", train__epochs=4, **options)
    assert fitted.best_path == (tmp_path / "b" / "checkpoints" / "best_model.ckpt").resolve()
    assert fitted.val_map == pytest.approx(0.6) and checkpoint(tmp_path / "b", "best_model")["epoch"] == 1
    script_scores(monkeypatch, 0.7)
    assert train(data, tmp_path / "c", train__epochs=4, **options).val_map == pytest.approx(0.7)
    (old / "checkpoints" / "best_model.ckpt").unlink()
    script_scores(monkeypatch, 0.2)
    assert train(data, tmp_path / "d", train__epochs=4, **options).val_map == pytest.approx(0.2)


def test_workers_and_a_resume_change_neither_images_nor_draws(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers ask for the order of the first epoch before Lightning says which epoch a resumed training is in."""
    steps: list[tuple[float, int]] = []
    forward = WeldDetector.forward

    def watched(detector: WeldDetector, images: list[torch.Tensor], targets: Any = None) -> Any:
        if targets is not None:
            steps.append((sum(float(one.sum()) for one in images), hash(torch.get_rng_state().numpy().tobytes())))
        return forward(detector, images, targets)

    monkeypatch.setattr(WeldDetector, "forward", watched)
    options = {"train__batch_size": 3, "augment__crop_probability": 0.5}
    train(data, tmp_path / "whole", data__workers=0, train__epochs=2, **options)
    whole = [*steps]
    train(data, tmp_path / "workers", data__workers=2, train__epochs=2, **options)
    assert [one[0] for one in steps[4:]] == pytest.approx([one[0] for one in whole])
    del steps[4:]
    train(data, tmp_path / "parts", data__workers=2, train__epochs=1, **options)
    last = str(tmp_path / "parts" / "checkpoints" / "last.ckpt")
    train(data, tmp_path / "parts", data__workers=2, train__epochs=2, train__resume=last, **options)
    # The draws of a later step of an epoch go on from what the steps before it drew: those depend on the weights.
    first, parts = (0, 2), steps[len(whole) :]
    assert len(whole) == len(parts) == 4
    assert [one[0] for one in parts] == pytest.approx([one[0] for one in whole])
    assert [parts[i][1] for i in first] == [whole[i][1] for i in first]


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps_without_those_left_out(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, warned = [], []
    step = DetectionModule.training_step

    def watched(module: DetectionModule, batch: Any, batch_index: int) -> torch.Tensor:
        losses.append(step(module, batch, batch_index))
        return losses[-1]

    monkeypatch.setattr(DetectionModule, "training_step", watched)
    infinite_loss(monkeypatch, lambda step: step in (2, 4))
    first, second = history(train(data, tmp_path, warned, train__epochs=2, train__batch_size=2))
    values = [float(one.detach()) for one in losses]
    assert [math.isfinite(one) for one in values] == [True, False, True, False, True, True]
    assert first["train_loss"] == pytest.approx((values[0] + values[2]) / 2, abs=1e-4)
    assert second["train_loss"] == pytest.approx((values[4] + values[5]) / 2, abs=1e-4)
    assert [first["left_out_steps"], second["left_out_steps"]] == [1, 1]
    assert [one for one in warned if one.startswith("steps left out") and ": 2 (" in one]


def test_history_is_json_after_an_epoch_without_a_step(
    data: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infinite_loss(monkeypatch, lambda step: True)
    text = train(data, tmp_path).history_path.read_text()
    entry = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["epochs"][0]
    assert entry["train_loss"] is None and entry["left_out_steps"] == 2 and entry["val_mAP"] >= 0


def test_the_time_of_an_attempt_that_ran_out_of_memory_counts() -> None:
    again = TimeBudget(1, spent_s=45)
    again.load_state_dict({"spent_s": 15, "validation_s": 0})
    assert again.share == 0.75


def test_other_errors_are_not_taken_for_short_memory() -> None:
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"))
    assert not is_out_of_memory(RuntimeError("shapes differ")) and not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize(("before", "after"), [((4, 1), (2, 2)), ((6, 2), (3, 4)), ((5, 1), (1, 5)), ((8, 3), (4, 6))])
def test_a_smaller_batch_makes_as_many_images_a_step(before: tuple[int, int], after: tuple[int, int]) -> None:
    assert smaller_batch(*before) == after
    assert before[0] * before[1] == after[0] * after[1]


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(data: YoloData, tmp_path: Path) -> None:
    options = {"train__epochs": 1, "augment__turn_probability": 0.5}
    losses = [
        history(train(data, tmp_path / str(number), train__seed=seed, **options))[0]["train_loss"]
        for number, seed in enumerate((1, 1, 2))
    ]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.slow
def test_a_training_killed_in_mid_epoch_resumes_to_the_same_end(
    data: YoloData, weld_folder: Path, tmp_path: Path
) -> None:
    whole = history(train(data, tmp_path / "whole", train__epochs=3, train__batch_size=1))
    folder = tmp_path / "killed"
    folder.mkdir()
    for name in ("defects_in_welds", "configs", "params.yaml"):
        (folder / name).symlink_to(SOLUTION / name)
    overrides = [f"{group}.{name}={value}" for group, values in TINY.items() for name, value in values.items()]
    overrides += [f"data.folder={weld_folder}", "train.epochs=3", "train.batch_size=1", "logging.mlflow=false"]
    overrides += ["logging.tensorboard=false", "trainer.accelerator=cpu", "export.onnx=false"]
    # The package's ROOT follows no link: the outputs must go here.
    start = (
        "import sys; from pathlib import Path; import defects_in_welds.training.run_training as r; r.ROOT = Path.cwd();"
    )
    start += "r.train_from_folder.__defaults__ = (Path.cwd(),); r.main()"
    command = [sys.executable, "-c", start]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}
    last = folder / "checkpoints" / "last.ckpt"
    with subprocess.Popen([*command, *overrides], cwd=folder, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 200
        while not last.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
    assert not (folder / "export").exists(), "it was killed after its end"
    behind = checkpoint(folder)["epoch"] + 1
    assert behind < 3
    done = subprocess.run(
        [*command, *overrides, f"train.resume={last}"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mAP50 ") == 3 - behind, "a line an epoch where there is no terminal for a bar"
    resumed = json.loads((folder / "metrics" / "history.json").read_text())["epochs"]
    assert [one["epoch"] for one in resumed] == [1, 2, 3]
    for one, two in zip(whole, resumed, strict=True):
        assert one["train_loss"] == pytest.approx(two["train_loss"], rel=0.02)


def test_early_stopping_ends_a_training_that_no_longer_improves(data: YoloData, tmp_path: Path) -> None:
    fitted = train(data, tmp_path, train__epochs=6, train__early_stopping_patience=1, train__learning_rate=1e-9)
    assert [one["epoch"] for one in history(fitted)] == [1, 2]


@pytest.mark.parametrize(("known", "chosen"), [({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")])
def test_auto_takes_bfloat16_only_where_it_is_native(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], chosen: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    configs = SOLUTION / "configs"
    assert chosen_precision(config_from_params({}, configs, "cpu").trainer) == chosen
    asked = config_from_params({"trainer": {"precision": "16-mixed"}}, configs, "cpu")
    assert chosen_precision(asked.trainer) == "16-mixed"


def test_a_time_limit_ends_the_training_in_mid_epoch_with_a_validation(data: YoloData, tmp_path: Path) -> None:
    options = {"train__epochs": 1000, "train__max_minutes": 1e-5, "train__batch_size": 1}
    [epoch] = history(train(data, tmp_path, **options))
    assert "val_mAP" in epoch and epoch["images_per_s"] > 0
    stored = checkpoint(tmp_path)
    assert stored["global_step"] == 1 and stored["callbacks"]["TimeBudget"]["spent_s"] > 6e-4
    assert stored["optimizer_states"][0]["param_groups"][0]["lr"] == 0, "the rate falls with the time"


def test_the_time_before_a_resume_and_the_last_validation_count() -> None:
    assert TimeBudget(0).share == 0
    budget = TimeBudget(1)
    budget.load_state_dict({"spent_s": 15, "validation_s": 0})
    assert budget.share == 0.25
    budget.load_state_dict({"spent_s": 15, "validation_s": 30})
    assert budget.share == 0.5
    budget.load_state_dict({"spent_s": 61, "validation_s": 30})
    assert budget.share == 1


def test_a_first_epoch_leaves_time_for_the_validation_that_it_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten batches of 2 s make expect 20 validation batches of 1 s; it overshot by all of these."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    budget, trainer = TimeBudget(1), SimpleNamespace(num_val_batches=[20], should_stop=False)
    budget.on_train_start(trainer, None)
    stopped = []
    for i in range(30):
        now += 2
        budget.on_train_batch_end(trainer, None, None, None, i)
        stopped.append(trainer.should_stop)
    assert stopped.index(True) == 19, "after 40 of the 60 seconds"
    budget.on_validation_start(trainer, None)
    now += 12
    budget.on_validation_end(trainer, None)
    assert budget.share == 1 and budget.validation_s == 12, "what is measured counts from here on"
    trainer.num_val_batches = [2000]
    budget = TimeBudget(1)
    budget.on_train_start(trainer, None)
    now += 15
    budget.on_train_batch_end(trainer, None, None, None, 0)
    assert budget.share == 0.5, "never more than half of the time"


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_running_mean_is_what_is_kept_and_it_resumes(data: YoloData, tmp_path: Path, precision: str) -> None:
    options = {"train__ema_decay": 0.9, "trainer__precision": precision, "model__anchors": "fitted"}
    fitted = train(data, tmp_path, **options)
    stored = checkpoint(tmp_path, "best_model")
    name = "detector.network.rpn.head.cls_logits.weight"
    assert not torch.equal(stored["state_dict"][name], stored["current_model_state"][name])
    detector = WeldDetector.from_weights(fitted.best_path)
    assert torch.equal(detector.state_dict()[name.removeprefix("detector.")], stored["state_dict"][name])
    assert len(detector.settings["anchor_shapes"]) == 6
    cells = detector.network.rpn.anchor_generator.cell_anchors
    assert torch.allclose(cells[1], cells[0] * 2) and len(cells[0]) == 6
    again = train(
        data, tmp_path, train__resume=str(tmp_path / "checkpoints" / "last.ckpt"), **{**options, "train__epochs": 2}
    )
    assert [one["epoch"] for one in history(again)] == [1, 2]


def test_fitted_anchors_have_the_form_of_the_boxes_whatever_their_size() -> None:
    sizes = [3, 10, 17, 40, 90, 200]
    boxes = tuple((0.0, 0.0, 4.0 * side, float(side)) for side in sizes)
    shapes = fit_anchor_shapes([Sample(Path("a"), (1000, 1000), boxes, (0,) * len(boxes))], 500, 1000)
    assert shapes is not None and len(shapes) == 6
    assert [width / height for width, height in shapes] == pytest.approx([4.0] * 6, rel=0.01)
    areas = [width * height for width, height in shapes]
    assert areas == sorted(areas) and areas[0] < 16, "the smallest box is below every level: its size is kept"
    assert fit_anchor_shapes([Sample(Path("a"), (9, 9), (), ())], 500, 1000) is None


def test_k_means_finds_the_groups_and_answers_the_same_again() -> None:
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.concatenate([middle + rng.normal(0, 0.2, (50, 2)) for middle in middles])
    centres = k_means(points, 3)
    assert sorted(np.round(centres).tolist()) == sorted(middles.tolist())
    assert np.array_equal(centres, k_means(points, 3))
    assert len(k_means(points[:1], 3)) == 3
