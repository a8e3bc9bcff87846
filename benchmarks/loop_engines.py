"""Engines beside atp: callbacks in the manner of Hugging Face, Lightning, MONAI. Each gives pairs of rounds."""

import contextlib
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.loop_pairs import ROUNDS, WARM_UP, HandWritten, Pair, alternating, must_agree, timed

HERE = Path(__file__).parent


class EngineMissingError(Exception):
    """A peer is not installed and could not be."""


def lightning() -> list[Pair]:
    """An epoch of `fit` is a round; between epochs the hand-written loop has its turn."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    import torch
    from lightning import Callback, LightningModule, Trainer

    hand, other, pairs = HandWritten(), HandWritten(), []

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.crit = other.model, other.crit

        def training_step(self, batch: Any, index: int) -> Any:
            images, labels = batch
            return self.crit(self.model(images), labels)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.model.parameters(), lr=0.01)

    class Turns(Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            self.start = time.process_time()

        def on_train_epoch_end(self, *_: Any) -> None:
            theirs = time.process_time() - self.start
            pairs.append((theirs, timed(hand.round)))

    trainer = Trainer(
        accelerator="cpu", devices=1, max_epochs=WARM_UP + ROUNDS, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[Turns()],
    )  # fmt: skip
    trainer.fit(Module(), Batches(other.data))
    must_agree(other.model, hand.model)
    return pairs[WARM_UP:]


class Batches:
    """A list would mean several loaders to Lightning."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


class CallbackLoop:
    """A loop with state, control flags and a list of callbacks, built as the Trainer of Hugging Face is."""

    EVENTS = ("on_step_begin", "on_pre_optimizer_step", "on_optimizer_step", "on_step_end", "on_log")

    def __init__(self, hand: HandWritten) -> None:
        self.hand = hand
        self.state = {"global_step": 0, "epoch": 0.0, "log_history": []}
        self.control = dict.fromkeys(("stop_epoch", "stop", "save", "evaluate", "log"), False)
        self.callbacks = [_FlowCallback(), _CountCallback()]

    def call(self, event: str, **values: Any) -> None:
        """Every callback may give a new control."""
        for callback in self.callbacks:
            found = getattr(callback, event)(
                self.state, self.control, model=self.hand.model, optimizer=self.hand.optimizer, **values
            )
            if found is not None:
                self.control = found

    def prepared(self, inputs: Any) -> Any:
        """Tensors of nested inputs on the device."""
        if isinstance(inputs, dict):
            return {key: self.prepared(value) for key, value in inputs.items()}
        if isinstance(inputs, list | tuple):
            return type(inputs)(self.prepared(value) for value in inputs)
        return inputs.to(device="cpu")

    def training_step(self, model: Any, inputs: Any) -> Any:
        model.train()
        inputs = self.prepared(inputs)
        with contextlib.nullcontext():
            logits = model(inputs["images"])
            loss = self.hand.crit(logits, inputs["labels"])
        loss.backward()
        return loss.detach()

    def round(self) -> None:
        import torch

        total, hand = torch.tensor(0.0), self.hand
        for step, (images, labels) in enumerate(hand.data):
            self.call("on_step_begin")
            loss = self.training_step(hand.model, {"images": images, "labels": labels})
            total += torch.where(loss.isfinite(), loss, total / (1 + step))
            self.call("on_pre_optimizer_step")
            hand.optimizer.step()
            self.call("on_optimizer_step")
            hand.model.zero_grad()
            self.state["global_step"] += 1
            self.state["epoch"] = (step + 1) / len(hand.data)
            self.call("on_step_end")
            if self.control["log"]:
                self.call("on_log", logs={"loss": float(total)})
                self.control["log"] = False
            if self.control["stop_epoch"] or self.control["stop"]:
                break


class _Callback:
    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda state, control, **_: None
        raise AttributeError(name)


class _FlowCallback(_Callback):
    def on_step_end(self, state: Any, control: Any, **_: Any) -> Any:
        control["log"] = state["global_step"] % 500 == 0
        return control


class _CountCallback(_Callback):
    def on_log(self, state: Any, control: Any, logs: Any, **_: Any) -> None:
        state["log_history"].append(logs)


def callbacks() -> list[Pair]:
    hand, other = HandWritten(), HandWritten()
    pairs = alternating(CallbackLoop(other).round, hand.round)
    must_agree(other.model, hand.model)
    return pairs


def monai() -> list[Pair]:
    """An epoch of MONAI's SupervisedTrainer (an engine of Ignite) is a round."""
    sys.path.append(str(installed()))
    warnings.simplefilter("ignore")
    import torch
    from ignite.engine import Events
    from monai.engines import SupervisedTrainer

    hand, other, pairs, start = HandWritten(), HandWritten(), [], [0.0]
    trainer = SupervisedTrainer(
        device=torch.device("cpu"), max_epochs=WARM_UP + ROUNDS, train_data_loader=other.data, network=other.model,
        optimizer=other.optimizer, loss_function=other.crit, decollate=False,
    )  # fmt: skip
    trainer.logger.setLevel(logging.ERROR)

    @trainer.on(Events.EPOCH_STARTED)
    def begin(_: Any) -> None:
        start[0] = time.process_time()

    @trainer.on(Events.EPOCH_COMPLETED)
    def end(_: Any) -> None:
        theirs = time.process_time() - start[0]
        pairs.append((theirs, timed(hand.round)))

    trainer.run()
    must_agree(other.model, hand.model)
    return pairs[WARM_UP:]


def installed() -> Path:
    """The folder with the peers; torch and NumPy are ours."""
    folder = Path(tempfile.gettempdir()) / "arm-bench-peers" / "engines"
    if not (folder / "installed").exists():
        uv = Path(sys.executable).with_name("uv")
        argv = [uv, "pip", "install", "--quiet", "--no-deps", "--target", folder, "-r", HERE / "atp_peers.txt"]
        result = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
        if result.returncode != 0:
            raise EngineMissingError(f"do not install: {result.stderr.strip()[-200:]}")
        (folder / "installed").touch()
    return folder
