"""Model blocks: the ones of torchvision under names that pipelines share. Tensors are (B, C, H, W) or (B, F)."""

from collections.abc import Sequence

from torch import Tensor, nn

from atp.registry import register


@register("ConvBlock", inputs={"features": Tensor}, outputs={"features": Tensor})
def conv_block(channels_in: int, channels: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Module:
    """Convolution, batch norm, ReLU; the size is divided by `stride`.

    Args:
        channels_in: channels of what comes in
        channels: channels of what goes out
        kernel: side of the kernel, odd
        stride: 1 keeps the size, 2 halves it
        groups: groups of channels; `channels_in` makes it depthwise
    """
    from torchvision.ops import Conv2dNormActivation

    return Conv2dNormActivation(channels_in, channels, kernel, stride, groups=groups)


@register("MlpBlock", inputs={"features": Tensor}, outputs={"features": Tensor})
def mlp_block(width_in: int, widths: Sequence[int], dropout: float = 0.0) -> nn.Module:
    """Linear layers with ReLU between them and after none.

    Args:
        width_in: numbers in a vector that comes in
        widths: width of each layer, the last one is the output's
        dropout: share of numbers that a training drops, 0..1
    """
    from torchvision.ops import MLP

    return MLP(width_in, list(widths), dropout=dropout)


@register("AttentionBlock", inputs={"features": Tensor}, outputs={"features": Tensor})
def attention_block(channels: int, squeezed: int) -> nn.Module:
    """Squeeze and excitation: scales channels by what the whole image says.

    Args:
        channels: channels of the features
        squeezed: channels in the middle, fewer
    """
    from torchvision.ops import SqueezeExcitation

    return SqueezeExcitation(channels, squeezed)
