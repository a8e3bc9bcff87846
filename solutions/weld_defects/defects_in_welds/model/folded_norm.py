"""Convolutions with the frozen batch norm that follows each of them: one pass over the activations instead of three."""

from contextlib import nullcontext

import torch
from timm.layers import Conv2dSame, FrozenBatchNormAct2d, pad_same
from torch import Tensor, nn
from torch.nn.functional import conv2d


class FoldedConv(nn.Module):
    """norm(conv(x)) as one convolution. What learns is the weight before folding, so a training goes as without it."""

    def __init__(self, conv: nn.Conv2d, norm: FrozenBatchNormAct2d) -> None:
        super().__init__()
        if conv.bias is not None:
            raise ValueError("a convolution before a batch norm has no bias")
        self.conv = conv
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        self.register_buffer("scale", scale.reshape(-1, 1, 1, 1))
        self.register_buffer("shift", norm.bias - norm.running_mean * scale)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> the normalised maps, not yet through the activation."""
        conv, padding = self.conv, self.conv.padding
        if isinstance(conv, Conv2dSame):
            maps, padding = pad_same(maps, conv.kernel_size, conv.stride, conv.dilation), 0
        # Channel by channel a CPU is ten times slower backward in bfloat16 than in float32.
        is_slow = conv.groups > 1 and maps.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False) if is_slow else nullcontext():
            maps = maps.float() if is_slow else maps
            return conv2d(maps, conv.weight * self.scale, self.shift, conv.stride, padding, conv.dilation, conv.groups)


def fold_frozen_norms(body: nn.Module) -> None:
    """Fold every frozen batch norm of a timm network into the convolution registered just before it, in place.

    Raises ValueError if one does not follow a convolution of as many channels.
    """
    before: tuple[nn.Module, str, nn.Conv2d] | None = None
    for name, module in list(body.named_modules()):
        parent = body.get_submodule(name.rpartition(".")[0])
        if isinstance(module, nn.Conv2d):
            before = (parent, name.rpartition(".")[2], module)
        elif isinstance(module, FrozenBatchNormAct2d):
            if before is None or before[0] is not parent or before[2].out_channels != len(module.weight):
                raise ValueError(f"{name} does not follow a convolution of as many channels")
            conv_parent, conv_name, conv = before
            setattr(conv_parent, conv_name, FoldedConv(conv, module))
            setattr(parent, name.rpartition(".")[2], module.act)
            before = None
