"""Weights of an earlier run in a network for other classes: what both know is kept, the rest starts anew."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from atp.core.networks import ClassHead, classes_in, read_state
from atp.registry import register
from atp.runtime.local_platform import current_platform

STATE = "_extra_state"


@register("class_names", outputs={"classes": list})
def class_names(weights: str = "", more: Sequence[str] = ()) -> list[str]:
    """Names of the classes that weights know, in their order, then those of `more` that they do not know.

    Args:
        weights: state dict or checkpoint; empty takes the weights that the run was given
        more: further names
    """
    state = read_state(weights_path(weights))
    found = next((classes_in(value) for name, value in state.items() if name.endswith(STATE)), None)
    if found is None:
        raise ValueError(f"{weights_path(weights)} names no classes: it was not trained with a head of #core")
    return list(dict.fromkeys([*(name for name in found if name != "background"), *more]))


@register("take_weights", inputs={"model": nn.Module}, outputs={"model": nn.Module})
def take_weights(model: nn.Module, weights: str = "") -> nn.Module:
    """Load weights of an earlier run; in a head with other classes the rows of classes of the same name are kept.

    Args:
        model: the new network, of the same backbone
        weights: state dict or checkpoint; empty takes the weights that the run was given
    """
    state = read_state(weights_path(weights))
    heads = {name: part for name, part in model.named_modules() if isinstance(part, ClassHead)}
    for name, head in heads.items():
        prefix = f"{name}." if name else ""
        if prefix + STATE not in state:
            raise ValueError(f"the weights have no head {name!r} with names of classes")
        _keep_rows(state, prefix, head)
    model.load_state_dict(state)
    return model


def _keep_rows(state: dict[str, Tensor], prefix: str, head: ClassHead) -> None:
    """Replace the rows of `head.layer` in the state by those of the new classes."""
    old = classes_in(state[prefix + STATE])
    pairs = [(row, old.index(name)) for row, name in enumerate(head.classes) if name in old]
    for name, own in head.layer.state_dict().items():
        key = f"{prefix}layer.{name}"
        kept = own.clone()
        for new_row, old_row in pairs:
            kept[new_row] = state[key][old_row]
        state[key] = kept
    state[prefix + STATE] = head.get_extra_state()


def weights_path(given: str) -> str:
    """The path given, else the weights of the run. Raises FileNotFoundError if there are none."""
    found = given or current_platform().get_weights_path()
    if not found:
        raise FileNotFoundError("no weights: name a file, or put the weights of the earlier run into the project")
    return str(found)


@register("Distillation", inputs={"logits": Tensor, "old_logits": Tensor}, outputs={"loss": Tensor})
class Distillation(nn.Module):
    """Loss that keeps what an old network knew: its first outputs are to stay as sure of each class as they were.

    Args:
        temperature: above 1 the small probabilities weigh more
    """

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, logits: Tensor, old_logits: Tensor) -> Tensor:
        """`logits` (B, N) of the new network, `old_logits` (B, n) of the old one, n ≤ N."""
        shared = logits[:, : old_logits.shape[1]] / self.temperature
        wanted = torch.log_softmax(old_logits / self.temperature, 1)
        loss: Tensor = nn.functional.kl_div(
            torch.log_softmax(shared, 1), wanted, reduction="batchmean", log_target=True
        )
        return loss * self.temperature**2
