"""Mixed precision, mean weights, best score, MLflow record: as the libraries below them, and off by default."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from atp.core.learning import warmup_cosine
from atp.core.reporting import Record
from atp.core.training import Best, MovingAverage, Precision, TimeBudget


def learned(mode: str, steps: int = 3) -> tuple[nn.Module, torch.dtype]:
    torch.manual_seed(0)
    model, inputs = nn.Linear(8, 4), torch.randn(16, 8)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    precision = Precision(mode)
    for _ in range(steps):
        with precision.context():
            outputs = model(inputs)
            loss = outputs.float().square().mean()
        precision.backward(loss)
        precision.unscale(optimizer)
        precision.step(optimizer)
        optimizer.zero_grad()
    return model, outputs.dtype


def test_full_precision_is_the_plain_loop() -> None:
    torch.manual_seed(0)
    model, inputs = nn.Linear(8, 4), torch.randn(16, 8)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()
    ours, dtype = learned("32-true")
    assert dtype is torch.float32
    assert torch.equal(ours.weight, model.weight)


@pytest.mark.parametrize("mode", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_computes_in_it_and_learns(mode: str) -> None:
    ours, dtype = learned(mode)
    assert dtype is torch.bfloat16  # 16-mixed, too: a CPU has no half precision to speak of
    full, _ = learned("32-true")
    assert ours.weight.dtype is torch.float32
    assert torch.allclose(ours.weight, full.weight, atol=0.02) and not torch.equal(ours.weight, full.weight)


def test_auto_is_what_the_processor_computes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for known, expected in (({"avx512_bf16": True}, torch.bfloat16), ({"avx512_bf16": False}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known)
        assert learned("auto")[1] is expected


@pytest.mark.parametrize("mode", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_step_without_finite_gradients_is_left_out(mode: str) -> None:
    model = nn.Linear(2, 1)
    before = model.weight.clone()
    optimizer, precision = torch.optim.AdamW(model.parameters(), 0.1), Precision(mode)
    precision.backward((model(torch.ones(1, 2)) * math.inf).sum())
    precision.unscale(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    precision.step(optimizer)
    assert torch.equal(model.weight, before)


def test_an_unknown_precision_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="32-true, 16-mixed, bf16-mixed"):
        Precision("8-bit")


def model_of(value: float) -> nn.Module:
    model = nn.BatchNorm1d(1)
    with torch.no_grad():
        model.weight.fill_(value)
        model.running_mean.fill_(value)
    return model


def test_the_mean_follows_weights_and_buffers_and_is_there_only_inside() -> None:
    model = model_of(1.0)
    average = MovingAverage(model, 0.75)
    average.update()
    with torch.no_grad():
        model.weight.fill_(5.0)
        model.running_mean.fill_(9.0)
    average.update()
    kept = 2 / 11  # of the first weights; the decay is reached later
    with average.weights():
        assert model.weight.item() == pytest.approx(kept * 1 + (1 - kept) * 5)
        assert model.running_mean.item() == pytest.approx(kept * 1 + (1 - kept) * 9)
    assert (model.weight.item(), model.running_mean.item()) == (5.0, 9.0)


def test_after_enough_steps_the_mean_keeps_its_decay() -> None:
    model = model_of(1.0)
    average = MovingAverage(model, 0.75)
    for _ in range(40):
        average.update()
    with torch.no_grad():
        model.weight.fill_(5.0)
    average.update()
    with average.weights():
        assert model.weight.item() == pytest.approx(0.75 * 1 + 0.25 * 5)


def test_own_weights_come_back_after_an_error() -> None:
    model = model_of(1.0)
    average = MovingAverage(model, 0.5)
    average.update()
    with torch.no_grad():
        model.weight.fill_(3.0)
    with pytest.raises(RuntimeError), average.weights():
        raise RuntimeError
    assert model.weight.item() == 3.0


def test_a_resumed_mean_goes_on(tmp_path: Path) -> None:
    model = model_of(1.0)
    average = MovingAverage(model, 0.5)
    average.update()
    torch.save(average.state_dict(), tmp_path / "state.pt")
    again = MovingAverage(model_of(3.0), 0.5)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    again.update()
    with again.weights():
        assert again._model.weight.item() == pytest.approx((2 * 1 + 9 * 3) / 11)


def test_without_a_decay_there_is_no_mean() -> None:
    model = model_of(1.0)
    average = MovingAverage(model)
    average.update()
    with average.weights():
        assert model.weight.item() == 1.0
    assert average.state_dict() == {}
    average.load_state_dict({})


def test_the_best_score_and_the_end_of_patience() -> None:
    best = Best(patience=2)
    said = [(best(score), best.is_over) for score in (0.1, 0.3, 0.3, 0.2, 0.4)]
    assert said == [(True, False), (True, False), (False, False), (False, True), (True, False)]
    assert best.score == 0.4
    resumed = Best(patience=2)
    resumed.load_state_dict(best.state_dict())
    assert not resumed(math.nan) and not resumed(0.4) and resumed.is_over


def test_without_patience_nothing_is_over() -> None:
    best = Best()
    for _ in range(100):
        best(0.0)
    assert not best.is_over


RECORD = """
import contextlib, sys
from mlflow import MlflowClient
from atp.core.learning import warmup_cosine
from atp.core.reporting import Record
for is_failing in (False, True):
    record = Record(sys.argv[1], "welds", {"lr": 0.1})
    with contextlib.suppress(ValueError), record.run():
        record({"loss": 0.5}, 1)
        record({"loss": 0.25}, 2)
        if is_failing:
            raise ValueError
client = MlflowClient(sys.argv[1])
for run in client.search_runs([client.get_experiment_by_name("welds").experiment_id], order_by=["start_time"]):
    points = [point.value for point in client.get_metric_history(run.info.run_id, "loss")]
    print(run.info.status, run.data.params, points)
"""


def test_a_record_is_a_run_of_mlflow(tmp_path: Path) -> None:
    """In a process of its own: MLflow's database layer warns and leaves threads."""
    command = [sys.executable, "-c", RECORD, f"sqlite:///{tmp_path / 'runs.db'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.strip().splitlines()[-2:]
    assert sorted(shown) == [f"{status} {{'lr': '0.1'}} [0.5, 0.25]" for status in ("FAILED", "FINISHED")]


def test_without_an_address_nothing_is_recorded(tmp_path: Path) -> None:
    record = Record()
    with record.run():
        record({"loss": 1.0}, 1)
    assert list(tmp_path.iterdir()) == []


class Clock:
    """Stands in for time.monotonic."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("atp.core.training.time.monotonic", lambda: self.now)


def test_the_time_leaves_room_for_the_last_validation_and_goes_on_after_a_resume(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    budget = TimeBudget(minutes=1)
    assert budget.share == 0
    budget.start()
    clock.now += 20
    with budget.validation():
        clock.now += 10
    assert budget.share == pytest.approx(30 / 50) and not budget.is_over
    again = TimeBudget(minutes=1)
    again.load_state_dict(budget.state_dict())
    again.start()
    clock.now += 19
    assert again.share == pytest.approx(49 / 50) and not again.is_over
    clock.now += 1
    assert again.is_over


def test_without_minutes_the_time_is_never_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    budget = TimeBudget()
    budget.start()
    clock.now += 1e9
    assert budget.share == 0 and not budget.is_over


def test_the_rate_falls_with_the_time_where_that_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    budget = TimeBudget(minutes=1)
    budget.start()
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), 1.0)
    schedule = warmup_cosine(optimizer, range(100), epochs=10, warmup=0.0, budget=budget)
    clock.now += 30
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr()[0] == pytest.approx(0.5, abs=0.01)
