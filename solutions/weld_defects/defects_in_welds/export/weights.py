"""Weights of the best epoch as files: .pth and, compared with it on real images, .onnx."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from defects_in_welds.data.samples import Sample
from defects_in_welds.data.weld_dataset import WeldDataset
from defects_in_welds.model.detector import WeldDetector

PARITY_IMAGES = 8


def parity_images(detector: WeldDetector, samples: Sequence[Sample]) -> tuple[Tensor, ...]:
    """Up to PARITY_IMAGES images spread over the samples, as the detector gets them."""
    dataset = WeldDataset(samples, (detector.settings["short_side"], detector.settings["long_side"]))
    step = max(1, len(dataset) // PARITY_IMAGES)
    return tuple(dataset[index][0] for index in range(0, len(dataset), step)[:PARITY_IMAGES])


def write_weights(best: Path, folder: Path, samples: Sequence[Sample], has_onnx: bool) -> dict:
    """weld_defects.pth and .onnx in `folder`; what the comparison found. Raises ParityError; then there is no .onnx."""
    folder.mkdir(parents=True, exist_ok=True)
    detector = WeldDetector.from_weights(best)
    torch.save(detector.state_dict(), folder / "weld_defects.pth")
    onnx_path = folder / "weld_defects.onnx"
    onnx_path.unlink(missing_ok=True)
    return detector.export_onnx(onnx_path, parity_images(detector, samples)) if has_onnx else {}
