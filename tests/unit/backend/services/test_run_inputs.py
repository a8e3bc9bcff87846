"""Which weights a test run gets first."""

from datetime import UTC, datetime, timedelta

from backend.contracts.reports import Artifact
from backend.services.run_inputs import preferred_first

START = datetime(2026, 1, 1, tzinfo=UTC)


def weights(path: str, kind: str, minute: int, **info: object) -> Artifact:
    created_at = START + timedelta(minutes=minute)
    return Artifact(path=path, kind=kind, sha256="0" * 64, size_bytes=1, created_at=created_at, info=info)


def test_the_best_then_what_pytorch_reads_then_onnx_newer_first() -> None:
    found = [
        weights("old.pth", "pytorch", 1),
        weights("newest.onnx", "onnx", 9),
        weights("best.onnx", "onnx", 2, best=True),
        weights("new.ckpt", "checkpoint", 5),
        weights("not-best.pth", "pytorch", 3, best="yes"),
    ]
    order = [a.path for a in preferred_first(found)]
    assert order == ["best.onnx", "new.ckpt", "not-best.pth", "old.pth", "newest.onnx"]
