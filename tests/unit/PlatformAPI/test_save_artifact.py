"""PlatformAPI.save_artifact and get_artifacts_dir"""

import hashlib

import pytest

import PlatformAPI


def test_a_file_under_artifacts_is_registered_where_it_lies(run_dir, events):
    path = PlatformAPI.get_artifacts_dir() / "checkpoints" / "last.ckpt"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    for given in (path, "checkpoints/last.ckpt"):
        assert PlatformAPI.save_artifact(given, "checkpoint", {"epoch": 3}) == path
    for event in events("artifact"):
        assert {key: event[key] for key in ("path", "kind", "size", "sha256", "info")} == {
            "path": "checkpoints/last.ckpt",
            "kind": "checkpoint",
            "size": 7,
            "sha256": hashlib.sha256(b"weights").hexdigest(),
            "info": {"epoch": 3},
        }


def test_a_file_from_elsewhere_is_copied(run_dir, tmp_path, events):
    (tmp_path / "report.txt").write_text("text")
    saved = PlatformAPI.save_artifact(tmp_path / "report.txt")
    assert saved == run_dir / "artifacts/report.txt" and saved.read_text() == "text"
    assert [p.name for p in saved.parent.iterdir()] == ["report.txt"]
    assert events("artifact")[0]["path"] == "report.txt"


def test_a_missing_file_or_an_unknown_kind_raises(run_dir, events):
    with pytest.raises(PlatformAPI.WrongArgumentError, match=r"'gone\.txt'.*no such file"):
        PlatformAPI.save_artifact("gone.txt")
    with pytest.raises(PlatformAPI.WrongArgumentError, match="kind 'picture'"):
        PlatformAPI.save_artifact("gone.txt", "picture")
    assert events("artifact") == []
