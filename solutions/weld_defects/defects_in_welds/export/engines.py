"""Two engines with one face: PyTorch for .pth and .ckpt, ONNX Runtime for .onnx."""

import json
from pathlib import Path
from typing import Protocol

import numpy as np

from defects_in_welds.export.onnx_format import METADATA_KEY, NAMES

ONNX, TORCH = "onnx", "torch"
Answer = dict[str, np.ndarray]


class Engine(Protocol):
    """`sides`: the network's short and long side in pixels."""

    classes: list[str]
    sides: tuple[int, int]

    def find(self, image: np.ndarray) -> Answer:
        """Boxes (N, 4), labels (N,), scores (N,) of an image (3, H, W), float32 0..1."""


class OnnxEngine:
    """Needs no PyTorch at all. `threads` of one image; 0: one a core."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = onnxruntime.get_available_providers()
        self.session = onnxruntime.InferenceSession(path.read_bytes(), options, providers)
        text = self.session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        if text is None:
            raise ValueError(f"{path} is no file of this solution: it names neither classes nor settings")
        known = json.loads(text)
        self.classes = known["classes"]
        self.sides = known["settings"]["short_side"], known["settings"]["long_side"]

    def find(self, image: np.ndarray) -> Answer:
        """See Engine."""
        return dict(zip(NAMES, self.session.run(list(NAMES), {"image": image}), strict=True))


class TorchEngine:
    """`device`: as torch names it."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        import torch

        from defects_in_welds.model.detector import WeldDetector

        self.torch, self.device = torch, device
        self.detector = WeldDetector.from_weights(path).to(device)
        self.classes = self.detector.classes
        self.sides = self.detector.settings["short_side"], self.detector.settings["long_side"]

    def find(self, image: np.ndarray) -> Answer:
        """See Engine."""
        with self.torch.inference_mode():
            answer = self.detector([self.torch.from_numpy(image).to(self.device)])[0]
        return {name: value.cpu().numpy() for name, value in answer.items()}


def open_engine(path: Path, name: str = "auto", device: str = "cpu") -> Engine:
    """`auto` goes by the file's suffix. Raises FileNotFoundError; ValueError if engine and file do not fit."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file: train first, or name the weights")
    fitting = ONNX if path.suffix == ".onnx" else TORCH
    if name not in ("auto", fitting):
        raise ValueError(f"{path.name} is a file for the engine {fitting}, not for {name}")
    return OnnxEngine(path) if fitting == ONNX else TorchEngine(path, device)
