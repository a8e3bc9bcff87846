"""Saving model weights (step 7): PyTorch, ONNX, or both. torch and onnxruntime load only when a saver is called."""

import warnings
from pathlib import Path
from typing import Any, Self

from PlatformAPI.artifacts import artifact_path, register
from PlatformAPI.errors import WrongArgumentError
from PlatformAPI.file_writing import replacing

TORCH_SUFFIXES = (".pth", ".pt", ".pkl")
ONNX_SUFFIXES = (".onnx",)


class _Saver:
    """What `_save` returns: `paths` of the written files and `info` about them."""

    def __init__(self, paths: list[Path], info: dict[str, Any]) -> None:
        self.paths = paths
        self.info = info

    @property
    def path(self) -> Path:
        """The first written file."""
        return self.paths[0]


class TorchPklSaver(_Saver):
    """Saves `model.state_dict()` for `torch.load(path, weights_only=True)`."""

    @classmethod
    def _save(cls, model: Any, fpath: str | Path, input_example: Any = None) -> Self:
        """Write artifacts/`fpath` (.pth unless given) in one step and register it. `model`: a torch.nn.Module."""
        import torch

        path = artifact_path(fpath, TORCH_SUFFIXES)
        module = _bare_module(model)
        state = {key: value.detach().cpu() for key, value in module.state_dict().items()}
        with replacing(path) as temporary:
            torch.save(state, temporary)
        info = {
            "format": "state_dict",
            "class": type(module).__name__,
            "parameters": sum(p.numel() for p in module.parameters()),
            "input_shapes": _shapes(input_example),
        }
        register(path, "pytorch", info)
        return cls([path], info)


class T2OnnxSaver(_Saver):
    """Exports the model to ONNX with a dynamic batch axis and compares its outputs with PyTorch's."""

    @classmethod
    def _save(cls, model: Any, fpath: str | Path, input_example: Any) -> Self:
        """Write artifacts/`fpath` (.onnx unless given) and register it.

        `input_example`: a tensor, or a tuple of tensors for several inputs; axis 0 of each is the batch.
        With onnxruntime installed, `info["max_abs_difference"]` is the largest difference over all outputs.
        A model with a method `export_onnx(path, inputs) -> info` writes the file itself (a detector with NMS inside has
        other axes and another notion of equal outputs); if that raises, there is no file.
        """
        import torch

        path = artifact_path(fpath, ONNX_SUFFIXES)
        module = _bare_module(model)
        if callable(getattr(module, "export_onnx", None)):
            return cls._save_by_itself(module, path, input_example)
        inputs = _example_inputs(input_example)
        was_training = module.training
        module.eval()
        try:
            with torch.no_grad(), replacing(path) as temporary:
                _export(module, inputs, temporary)
                info = {"input_shapes": _shapes(inputs), **_parity(module, inputs, temporary)}
        finally:
            module.train(was_training)
        register(path, "onnx", info)
        return cls([path], info)

    @classmethod
    def _save_by_itself(cls, module: Any, path: Path, input_example: Any) -> Self:
        inputs = tuple(input_example) if isinstance(input_example, tuple | list) else (input_example,)
        with replacing(path) as temporary:
            info = {"input_shapes": _shapes(inputs), **module.export_onnx(temporary, inputs)}
        register(path, "onnx", info)
        return cls([path], info)


class CombSaver(_Saver):
    """Saves PyTorch weights and ONNX side by side; the PyTorch file is kept even if the export to ONNX fails."""

    @classmethod
    def _save(cls, model: Any, fpath: str | Path, input_example: Any) -> Self:
        """Write artifacts/`fpath` with the suffixes .pth and .onnx and register both."""
        stem = str(fpath)
        for suffix in (*TORCH_SUFFIXES, *ONNX_SUFFIXES):
            stem = stem.removesuffix(suffix)
        saved = TorchPklSaver._save(model, stem + ".pth", input_example)
        exported = T2OnnxSaver._save(model, stem + ".onnx", input_example)
        return cls(saved.paths + exported.paths, {**saved.info, **exported.info})


def _bare_module(model: Any) -> Any:
    """The model itself, out of DataParallel or DistributedDataParallel."""
    import torch

    if isinstance(model, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        model = model.module
    if not isinstance(model, torch.nn.Module):
        raise WrongArgumentError(f"model is a {type(model).__name__}, a torch.nn.Module is needed")
    return model


def _example_inputs(example: Any) -> tuple[Any, ...]:
    import torch

    inputs = tuple(example) if isinstance(example, tuple | list) else (example,)
    if not inputs or not all(isinstance(x, torch.Tensor) and x.ndim > 0 for x in inputs):
        raise WrongArgumentError(
            f"input_example is a {type(example).__name__}; a tensor or a tuple of tensors is needed"
        )
    # The exporter takes an axis of length 1 for a constant, so a batch of one is shown to it as a batch of two.
    return tuple(torch.cat([x, x]) if x.shape[0] == 1 else x for x in inputs)


def _export(module: Any, inputs: tuple[Any, ...], path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        # Deprecations inside the exporter are nothing the user of a saver could mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        torch.onnx.export(
            module,
            inputs,
            path,
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs),
        )


def _parity(module: Any, inputs: tuple[Any, ...], path: Path) -> dict[str, Any]:
    """Runs both models on the example and on its first element alone, which also proves the dynamic batch axis."""
    try:
        import onnxruntime
    except ImportError:
        return {}
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    difference = 0.0
    for batch in (inputs, tuple(x[:1] for x in inputs)):
        expected = _flat_outputs(module(*batch))
        arrays = [x.detach().cpu().numpy() for x in batch]
        got = session.run(None, dict(zip(names, arrays, strict=True)))
        for want, have in zip(expected, got, strict=True):
            if want.size:
                difference = max(difference, float(abs(want.astype("float64") - have.astype("float64")).max()))
    return {"max_abs_difference": difference}


def _flat_outputs(output: Any) -> list[Any]:
    import torch

    if isinstance(output, torch.Tensor):
        return [output.detach().cpu().numpy()]
    values = output.values() if isinstance(output, dict) else output
    return [array for value in values for array in _flat_outputs(value)]


def _shapes(example: Any) -> list[list[int]]:
    values = example if isinstance(example, tuple | list) else (example,)
    return [list(value.shape) for value in values if hasattr(value, "shape")]
