"""Detector over torchvision's Faster R-CNN on any Backbone, and the crops that lead from it to a further network."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from atp.core.networks import Backbone
from atp.registry import register

Answer = dict[str, Tensor]


class _Pyramid(nn.Module):
    """A Backbone with a feature pyramid, as torchvision's detectors take it."""

    def __init__(self, backbone: Backbone, channels: int) -> None:
        from torchvision.ops import FeaturePyramidNetwork

        super().__init__()
        self.backbone = backbone
        self.pyramid = FeaturePyramidNetwork(backbone.channels, channels)
        self.out_channels = channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps: dict[str, Tensor] = self.pyramid(OrderedDict(self.backbone(images)))
        return maps


@register("Detector", inputs={"images": list, "targets": None}, outputs={"losses_or_answers": None})
class Detector(nn.Module):
    """In training (images, targets) → losses by name; in evaluation images → [{boxes, labels, scores}], best first.

    Args:
        backbone: encoder
        classes: names of the classes; labels count from 0 everywhere
        size: short side in pixels to which images are brought
        channels: channels of the pyramid
        confidence: boxes below it are left out, 0..1
    """

    def __init__(
        self, backbone: Backbone, classes: Sequence[str], size: int = 320, channels: int = 64, confidence: float = 0.05
    ) -> None:
        from torchvision.models.detection import FasterRCNN
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.ops import MultiScaleRoIAlign

        super().__init__()
        self.classes = [str(name) for name in classes]
        count = len(backbone.channels)
        anchors = AnchorGenerator(tuple((16 * 2**level,) for level in range(count)), ((0.5, 1.0, 2.0),) * count)
        self.network = FasterRCNN(
            _Pyramid(backbone, channels),
            len(self.classes) + 1,
            min_size=size,
            max_size=2 * size,
            rpn_anchor_generator=anchors,
            box_roi_pool=MultiScaleRoIAlign([str(level) for level in range(count)], output_size=7, sampling_ratio=2),
            rpn_pre_nms_top_n_train=500,
            rpn_post_nms_top_n_train=200,
            rpn_pre_nms_top_n_test=500,
            rpn_post_nms_top_n_test=100,
            box_score_thresh=confidence,
        )

    def forward(self, images: list[Tensor], targets: list[Answer] | None = None) -> Any:
        """See the class."""
        if targets is not None:
            # torchvision takes class 0 for the background
            return self.network(images, [{**target, "labels": target["labels"] + 1} for target in targets])
        return [{**answer, "labels": answer["labels"] - 1} for answer in self.network(images)]


@register("crops", inputs={"images": list, "answers": list}, outputs={"crops": Tensor})
def crops(images: list[Tensor], answers: list[Answer], size: int = 64) -> Tensor:
    """What the boxes frame, as images (K, 3, size, size) in the order of images and boxes; K may be 0.

    Args:
        images: images (3, H, W), of any sizes
        answers: boxes in pixels of each image
        size: side of a crop in pixels
    """
    from torchvision.ops import roi_align

    found = [
        roi_align(image[None], [answer["boxes"].to(image.dtype)], size, sampling_ratio=2)
        for image, answer in zip(images, answers, strict=True)
    ]
    return torch.cat(found)


@register("renamed", inputs={"answers": list, "logits": Tensor}, outputs={"answers": list})
def renamed(answers: list[Answer], logits: Tensor) -> list[Answer]:
    """The same boxes with the labels of a second network; scores are the products of both networks' confidences.

    Args:
        answers: what the detector found
        logits: (K, classes) of all boxes in the order of `crops`
    """
    confidences, labels = logits.softmax(1).max(1)
    counts = [len(answer["boxes"]) for answer in answers]
    parts = zip(answers, confidences.split(counts), labels.split(counts), strict=True)
    return [{**answer, "labels": label, "scores": answer["scores"] * sure} for answer, sure, label in parts]
