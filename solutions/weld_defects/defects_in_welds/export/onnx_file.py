"""The detector as one ONNX file: scaling and NMS inside, any image size. Compared with PyTorch before it is accepted.

Input `image` (3, H, W), float 0..1. Outputs `boxes` (N, 4) in pixels of that image, `labels` (N,) 0-based and `scores`
(N,), best first. Classes and settings are in the file's metadata, key `weld_defects`.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from defects_in_welds.export.onnx_format import METADATA_KEY, NAMES

LEAST_IOU, MOST_SCORE_DIFFERENCE = 0.99, 1e-3
DENSE = ("rpn.head.cls_logits", "rpn.head.bbox_pred")
"""layers of the detector that answer for every place of an image, whatever was learned"""
BY_PROPOSAL = ("roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred")
"""layers that answer for every proposal, before any threshold"""
MOST_RAW_DIFFERENCE, LEAST_PAIRED = 1e-3, 0.5
"""of those: part of their largest value; part of the proposals, since ties of scores decide which come through"""
OPSET = 17


class ParityError(ValueError):
    """The ONNX file answers otherwise than the detector it was made from."""


class _OneImage(nn.Module):
    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        answer = self.detector([image])[0]
        return tuple(answer[name] for name in NAMES)


def export_checked(detector: Any, path: Path, images: Sequence[Tensor]) -> dict[str, Any]:
    """Write `path`, compare it on `images` (3, H, W) and on cuts of them of other sizes; what was compared.

    Raises ParityError, and removes the file, if an answer differs.
    """
    was_training, device = detector.training, next(detector.parameters()).device
    detector.eval().cpu()
    try:
        write_onnx(detector, path, images[0])
        return check_parity(detector, path, [*images, *_cut(images[0])])
    except ParityError:
        path.unlink()
        raise
    finally:
        detector.train(was_training).to(device)


def write_onnx(detector: Any, path: Path, example: Tensor) -> None:
    """Trace the detector on one image of any size."""
    axes = {"image": {1: "height", 2: "width"}, **{name: {0: "boxes"} for name in NAMES}}
    with warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of every constant it meets; whether one of them matters is what check_parity finds out. The
        # newer exporter (dynamo=True) does not take torchvision's detectors: their box counts depend on the image.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _OneImage(detector).eval(),
            (example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=list(NAMES),
            dynamic_axes=axes,
        )
    model = onnx.load(path)
    known = {"classes": detector.classes, "settings": detector.settings}
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(known, ensure_ascii=False)})
    onnx.save(model, path)


def check_parity(detector: Any, path: Path, images: Sequence[Tensor]) -> dict[str, Any]:
    """Largest differences over all images. Raises ParityError naming the image (counted from 1).

    Compared are the boxes and, because a barely trained detector answers none, what the heads say before any threshold.
    """
    model = onnx.load(path)
    raw_names = _expose_raw(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    least_iou, most_difference, most_raw, box_count = 1.0, 0.0, 0.0, 0
    heads = detector.network.roi_heads
    for number, image in enumerate(images, 1):
        wanted, wanted_raw = _answer_with_raw(detector, image)
        arrays = session.run(
            [*NAMES, *(name for names in raw_names.values() for name in names)], {"image": image.numpy()}
        )
        tensors = [torch.from_numpy(array) for array in arrays]
        given = dict(zip(NAMES, tensors, strict=False))
        rest = iter(tensors[len(NAMES) :])
        given_raw = {layer: [next(rest) for _ in names] for layer, names in raw_names.items()}
        about = f"image {number} of {len(images)}, {tuple(image.shape)}"
        most_raw = max(most_raw, compare_raw(wanted_raw, given_raw, about))
        iou, difference = compare(wanted, given, about, heads.score_thresh, heads.detections_per_img)
        least_iou, most_difference = min(least_iou, iou), max(most_difference, difference)
        box_count += len(wanted["scores"])
    return {
        "parity_images": len(images),
        "parity_boxes": box_count,
        "least_iou": round(least_iou, 6),
        "max_score_difference": most_difference,
        "max_raw_difference": most_raw,
    }


def _expose_raw(model: onnx.ModelProto) -> dict[str, list[str]]:
    """Make the raw answers outputs of the graph; their names by layer, in the order in which the layer is called."""
    names: dict[str, list[str]] = {}
    for layer in (*DENSE, *BY_PROPOSAL):
        weight = f"detector.network.{layer}.weight"
        names[layer] = [node.output[0] for node in model.graph.node if weight in node.input]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names[layer])
    return names


def _answer_with_raw(detector: Any, image: Tensor) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
    raw: dict[str, list[Tensor]] = {layer: [] for layer in (*DENSE, *BY_PROPOSAL)}
    hooks = [
        detector.network.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, output, layer=layer: raw[layer].append(output)
        )
        for layer in raw
    ]
    try:
        with torch.inference_mode():
            return detector([image])[0], raw
    finally:
        for hook in hooks:
            hook.remove()


def compare_raw(wanted: dict[str, list[Tensor]], given: dict[str, list[Tensor]], about: str) -> float:
    """The largest difference as a part of a layer's largest value; raises ParityError beyond MOST_RAW_DIFFERENCE."""
    most = 0.0
    for layer in DENSE:
        for one, two in zip(wanted[layer], given[layer], strict=True):
            difference = _relative(one - two, one) if one.shape == two.shape else torch.tensor([torch.inf])
            most = max(most, float(difference.max()))
    by_wanted, by_given = (torch.cat([side[layer][0] for layer in BY_PROPOSAL], dim=1) for side in (wanted, given))
    nearest = _relative(torch.cdist(by_wanted, by_given, p=torch.inf), by_wanted).amin(dim=1)
    paired = nearest <= MOST_RAW_DIFFERENCE
    if not most <= MOST_RAW_DIFFERENCE or paired.float().mean() < LEAST_PAIRED:
        raise ParityError(
            f"{about}: before any threshold the heads differ by {most:.2e} of their largest value, "
            f"and only {int(paired.sum())} of {len(paired)} proposals have a partner"
        )
    return max(most, float(nearest[paired].max()))


def _relative(difference: Tensor, values: Tensor) -> Tensor:
    return difference.abs() / values.abs().max().clamp(min=1e-6)


def compare(
    wanted: dict[str, Tensor], given: dict[str, Tensor], about: str, least_score: float = 0.0, most_boxes: int = 100
) -> tuple[float, float]:
    """(least IoU, greatest score difference) of the boxes paired up; raises ParityError if one has no partner.

    A partner has the same class, an IoU of LEAST_IOU and a score within MOST_SCORE_DIFFERENCE. A box so near to
    `least_score`, or to the last of `most_boxes`, that rounding decides whether it is answered needs none.
    """
    if not all(torch.isfinite(given[name]).all() for name in ("boxes", "scores")):
        raise ParityError(f"{about}: the ONNX file answers with numbers that are not finite")
    iou = box_iou(wanted["boxes"], given["boxes"])
    difference = (wanted["scores"][:, None] - given["scores"][None]).abs()
    fits = (wanted["labels"][:, None] == given["labels"][None]) & (difference <= MOST_SCORE_DIFFERENCE)
    overlap = torch.where(fits, iou, torch.zeros_like(iou))
    least_iou, most_difference = 1.0, 0.0
    for axis, answer in ((1, wanted), (0, given)):
        if not len(answer["scores"]):
            continue
        cut = float(answer["scores"].min()) if len(answer["scores"]) >= most_boxes else 0.0
        counted = answer["scores"] > max(cut, least_score) + MOST_SCORE_DIFFERENCE
        best = overlap.amax(dim=axis) if overlap.numel() else torch.zeros(len(answer["scores"]))
        lost = counted & (best < LEAST_IOU)
        if lost.any():
            first = int(lost.nonzero()[0])
            box = [round(edge, 1) for edge in answer["boxes"][first].tolist()]
            only = "PyTorch" if axis else "the ONNX file"
            raise ParityError(
                f"{about}: {int(lost.sum())} of {len(best)} boxes of {only} have no partner (same class, "
                f"IoU {LEAST_IOU}, score within {MOST_SCORE_DIFFERENCE}), e.g. class {int(answer['labels'][first])}, "
                f"box {box}, score {float(answer['scores'][first]):.4f}"
            )
        if counted.any():
            least_iou = min(least_iou, float(best[counted].min()))
            partner = overlap.argmax(dim=axis)
            rows = torch.arange(len(best))
            paired = difference[rows, partner] if axis else difference[partner, rows]
            most_difference = max(most_difference, float(paired[counted].max()))
    return least_iou, most_difference


def _cut(image: Tensor) -> list[Tensor]:
    """A wide and a tall part: other sizes than the whole, whatever that is."""
    height, width = image.shape[1:]
    return [image[:, : max(1, height * 2 // 3), :].contiguous(), image[:, :, : max(1, width // 2)].contiguous()]
