"""PlatformAPI.TorchPklSaver, T2OnnxSaver, CombSaver"""

import numpy as np
import onnxruntime
import pytest
import torch

import PlatformAPI


def small_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 3)
    )


EXAMPLE = torch.zeros(1, 1, 8, 8)


def test_pytorch_weights_load_back_safely(run_dir, events):
    model = small_model()
    saver = PlatformAPI.TorchPklSaver._save(model, "weights/model", EXAMPLE)
    assert saver.path == run_dir / "artifacts/weights/model.pth"
    loaded = torch.load(saver.path, weights_only=True)
    assert all(torch.equal(loaded[key], value) for key, value in model.state_dict().items())
    event = events("artifact")[0]
    assert (event["path"], event["kind"]) == ("weights/model.pth", "pytorch")
    assert event["info"]["input_shapes"] == [[1, 1, 8, 8]]
    assert [p.name for p in saver.path.parent.iterdir()] == ["model.pth"]


def test_onnx_runs_with_any_batch_and_tells_the_difference(run_dir, events):
    model = small_model().train()
    saver = PlatformAPI.T2OnnxSaver._save(model, "model.onnx", EXAMPLE)
    assert model.training
    event = events("artifact")[0]
    assert event["kind"] == "onnx" and 0 <= event["info"]["max_abs_difference"] < 1e-5
    session = onnxruntime.InferenceSession(saver.path)
    for batch in (1, 3, 5):
        images = np.random.default_rng(0).normal(size=(batch, 1, 8, 8)).astype(np.float32)
        (got,) = session.run(None, {session.get_inputs()[0].name: images})
        with torch.no_grad():
            want = model.eval()(torch.from_numpy(images)).numpy()
        assert np.allclose(got, want, atol=1e-5)


def test_both_are_written_side_by_side(run_dir, events):
    saver = PlatformAPI.CombSaver._save(small_model(), "best.pth", EXAMPLE)
    assert [p.name for p in saver.paths] == ["best.pth", "best.onnx"]
    assert [e["path"] for e in events("artifact")] == ["best.pth", "best.onnx"]
    assert "max_abs_difference" in saver.info


class NotExportable(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise ValueError("no forward here")


def test_a_failed_export_keeps_the_pytorch_file_and_leaves_no_rest(run_dir, events):
    with pytest.raises(Exception, match="no forward here"):
        PlatformAPI.CombSaver._save(NotExportable(), "best", EXAMPLE)
    assert [e["path"] for e in events("artifact")] == ["best.pth"]
    assert [p.name for p in (run_dir / "artifacts").iterdir()] == ["best.pth"]


@pytest.mark.parametrize("fpath", ["../model.pth", "/tmp/model.pth", ""])
def test_a_path_outside_of_artifacts_is_refused(run_dir, fpath):
    with pytest.raises(PlatformAPI.WrongArgumentError, match="artifacts"):
        PlatformAPI.TorchPklSaver._save(small_model(), fpath, EXAMPLE)


def test_what_is_no_model_or_no_example_is_refused(run_dir):
    with pytest.raises(PlatformAPI.WrongArgumentError, match="model is a dict"):
        PlatformAPI.TorchPklSaver._save({}, "m", EXAMPLE)
    with pytest.raises(PlatformAPI.WrongArgumentError, match="input_example is a str"):
        PlatformAPI.T2OnnxSaver._save(small_model(), "m", "x")
