"""Faster R-CNN that speaks 0-based class ids. The only place that knows torchvision's class 0 is the background."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from defects_in_welds.model.anchor_shapes import FINEST_PX
from defects_in_welds.model.backbone import IMAGE_MEAN, IMAGE_STD, LiteFpnBackbone
from defects_in_welds.model.input_scaling import InputScaling

Target = dict[str, Tensor]
Warnings = list[tuple[str, dict[str, Any]]]
"""codes of data/problem_texts.json and what fills the sentences"""
TORCHVISION_DETECTORS = {
    "mobilenet_v3_large_320_fpn": (
        detection.fasterrcnn_mobilenet_v3_large_320_fpn,
        detection.FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.DEFAULT,
    ),
    "resnet50_fpn_v2": (detection.fasterrcnn_resnet50_fpn_v2, detection.FasterRCNN_ResNet50_FPN_V2_Weights.DEFAULT),
}
MODEL_NAMES = ("efficientnet_lite0_fpn", *TORCHVISION_DETECTORS)


class WeldDetector(nn.Module):
    """Training: (images, targets) -> losses by name. Evaluation: images -> [{"boxes", "labels", "scores"}], best first.

    Images are (3, H, W) in 0..1, boxes pixels of those images, labels 0-based in targets and in answers.
    `settings` is everything needed to build the same detector again; it travels inside the weights file.
    """

    def __init__(self, classes: list[str], settings: Mapping[str, Any], warnings: Warnings | None = None) -> None:
        super().__init__()
        self.classes = list(classes)
        self.settings = dict(settings)
        self.network = build_network(len(classes), settings, [] if warnings is None else warnings)
        self.network.transform = InputScaling.like(self.network.transform)
        self.network.rpn.anchor_generator = ExactAnchors.like(self.network.rpn.anchor_generator)
        _show_strides(self.network)
        self.network.to(memory_format=torch.channels_last)
        # torchvision computes with boxes in the type of these answers. bfloat16 has 8 bits: at 600 px it knows every
        # fourth pixel, so true boxes would shift and thin ones vanish, and with them the loss (log of a width of 0).
        for head in (self.network.rpn.head, self.network.roi_heads.box_predictor):
            head.register_forward_hook(_in_float32)

    def forward(self, images: list[Tensor], targets: list[Target] | None = None) -> Any:
        """See the class."""
        if targets is not None:
            # torchvision takes class 0 for the background: ids 0..n-1 passed as they are would never learn the first.
            targets = [{"boxes": target["boxes"], "labels": target["labels"] + 1} for target in targets]
            return self.network(images, targets)
        return [{**answer, "labels": answer["labels"] - 1} for answer in self.network(images)]

    def get_extra_state(self) -> Tensor:
        """Classes and settings as bytes in a tensor: part of every state dict, readable with weights_only=True."""
        text = json.dumps({"classes": self.classes, "settings": self.settings})
        return torch.tensor(list(text.encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing to restore: the detector was built from these settings. A mismatch of shapes raises elsewhere."""

    def export_onnx(self, path: Path, images: Sequence[Tensor]) -> dict[str, Any]:
        """Called by PlatformAPI's savers: NMS inside, any size; raises ParityError unless `images` give the same."""
        from defects_in_welds.export.onnx_file import export_checked

        return export_checked(self, path, images)

    @classmethod
    def from_weights(cls, path: Path) -> "WeldDetector":
        """A trained detector from a Lightning checkpoint (.ckpt) or a state dict (.pth)."""
        stored = torch.load(path, map_location="cpu", weights_only=True)
        state = stored.get("state_dict", stored)
        state = {key.removeprefix("detector."): value for key, value in state.items()}
        if "_extra_state" not in state:
            raise ValueError(f"{path} is no file of this solution: it names neither classes nor settings")
        known = json.loads(bytes(state["_extra_state"].tolist()))
        # Built as it was, ImageNet start included (batch norm is frozen with it); then every weight is replaced.
        # The weights file that the training started from may lie on another machine.
        detector = cls(known["classes"], known["settings"] | {"weights_path": ""})
        detector.load_state_dict(state)
        return detector.eval()


class ExactAnchors(AnchorGenerator):
    """Anchors in float32 even where the maps are bfloat16, which moves those near 600 px by 2 px."""

    @classmethod
    def like(cls, other: AnchorGenerator) -> "ExactAnchors":
        """The same anchors as `other`."""
        anchors = cls(other.sizes, other.aspect_ratios)
        anchors.cell_anchors = other.cell_anchors
        return anchors

    def set_cell_anchors(self, dtype: torch.dtype, device: torch.device) -> None:
        """Called by torchvision with the type of the maps."""
        super().set_cell_anchors(torch.float32, device)


def _show_strides(network: FasterRCNN) -> None:
    """Show the pooling a square: it takes the strides of the maps, for good, from the first image that it sees.

    It compares their padded height with the unpadded one of the image, and so takes 4 for 2 where that is a flat strip.
    """
    was_training, side = network.training, 256
    network.eval()
    with torch.no_grad():
        maps = network.backbone(torch.zeros(1, 3, side, side))
        network.roi_heads.box_roi_pool(maps, [torch.tensor([[0.0, 0.0, 64.0, 64.0]])], [(side, side)])
    network.train(was_training)


def _in_float32(head: nn.Module, given: Any, answers: tuple[Any, Any]) -> tuple[Any, Any]:
    """Scores and offsets of boxes; those of the RPN come as lists, one of each level."""
    first, second = ([one.float() for one in part] if isinstance(part, list) else part.float() for part in answers)
    return first, second


def build_network(class_count: int, settings: Mapping[str, Any], warnings: Warnings) -> FasterRCNN:
    """The torchvision detector for `class_count` classes and the background. `warnings` grows by what a user must know.

    settings: name, is_pretrained, weights_path, frozen_stages, finest_stride, fpn_channels, short_side, long_side.
    """
    name, sizes = settings["name"], {"min_size": settings["short_side"], "max_size": settings["long_side"]}
    if name == "efficientnet_lite0_fpn":
        return _lite_network(class_count, settings, sizes)
    if name not in TORCHVISION_DETECTORS:
        raise ValueError(f"model.name is {name!r}; known are {', '.join(MODEL_NAMES)}")
    build, weights = TORCHVISION_DETECTORS[name]
    # Its own threshold of 0.05 may leave no proposal at all, which the exported ONNX file cannot reshape.
    sizes["rpn_score_thresh"] = 0.0
    network = build(weights=None, weights_backbone=None, num_classes=class_count + 1, **sizes)
    if settings["is_pretrained"]:
        _load_detector_weights(network, settings["weights_path"], weights.url, warnings)
    return network


def _lite_network(class_count: int, settings: Mapping[str, Any], sizes: dict[str, int]) -> FasterRCNN:
    backbone = LiteFpnBackbone(
        int(settings["finest_stride"]), settings["fpn_channels"], settings["is_pretrained"], settings["frozen_stages"]
    )
    anchors = make_anchors(backbone.level_count, settings.get("anchor_shapes"))
    roi_levels = [str(level) for level in range(backbone.level_count - 1)]
    return FasterRCNN(
        backbone,
        num_classes=class_count + 1,
        image_mean=list(IMAGE_MEAN),
        image_std=list(IMAGE_STD),
        rpn_anchor_generator=anchors,
        box_roi_pool=MultiScaleRoIAlign(roi_levels, output_size=7, sampling_ratio=2),
        # Fewer proposals than COCO needs: a weld shows ten defects, not a hundred, and this halves the time on a CPU.
        rpn_pre_nms_top_n_train=1000,
        rpn_post_nms_top_n_train=500,
        rpn_pre_nms_top_n_test=500,
        rpn_post_nms_top_n_test=300,
        box_batch_size_per_image=settings.get("box_samples", 128),
        box_score_thresh=0.02,
        **sizes,
    )


def make_anchors(level_count: int, shapes: list[list[float]] | None) -> AnchorGenerator:
    """`shapes` (width, height), those of FINEST_PX, doubled from level to level; None: two sizes, 1:3, 1:1 and 3:1."""
    # 16 px at the finest level whatever its stride; 1:3 because cracks and undercuts are long.
    base = [FINEST_PX * 2**level for level in range(level_count)]
    generator = AnchorGenerator(tuple((size, int(size * 1.5)) for size in base), ((0.33, 1.0, 3.0),) * len(base))
    if shapes is not None:
        assert len(shapes) == generator.num_anchors_per_location()[0], "the RPN's head counts on as many shapes"
        halves = torch.tensor(shapes) / 2
        corners = torch.cat([-halves, halves], dim=1)
        generator.cell_anchors = [corners * 2**level for level in range(level_count)]
    return generator


def _load_detector_weights(network: nn.Module, given: str, url: str, warnings: Warnings) -> None:
    """COCO weights from a path or torch's cache, all but the layers whose size depends on the classes."""
    path = Path(given) if given else Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if not path.is_file():
        if given:
            raise FileNotFoundError(f"model.weights_path {given!r} is not a file")
        warnings.append(("no_pretrained", {"file": path.name, "folder": path.parent}))
        return
    state, own = torch.load(path, map_location="cpu", weights_only=True), network.state_dict()
    network.load_state_dict({k: v for k, v in state.items() if k in own and v.shape == own[k].shape}, strict=False)
