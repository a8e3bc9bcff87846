"""Files in chunks over HTTP: resumed, refused, given up, and used by an import that leaves nothing behind."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.settings import Settings
from tests.integration.uploads import yolo_files, zip_of


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.home_dir / "scratch" / "uploads"


def begin(api: TestClient, size_bytes: int, purpose: str = "dataset") -> str:
    reply = api.post("/api/uploads", json={"purpose": purpose, "size_bytes": size_bytes})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


def sent(api: TestClient, content: bytes, purpose: str = "dataset", chunk: int = 1000) -> str:
    upload = begin(api, len(content), purpose)
    for offset in range(0, len(content), chunk):
        reply = api.put(f"/api/uploads/{upload}?offset={offset}", content=content[offset : offset + chunk])
        assert reply.status_code == 200, reply.text
    return upload


def test_file_in_chunks_becomes_a_dataset_and_leaves_nothing(api: TestClient, folder: Path) -> None:
    upload = sent(api, zip_of(yolo_files()))
    reply = api.post(f"/api/datasets/import?name=Chunks&upload={upload}")
    assert reply.json()["splits"]["train"]["images"] == 2
    assert list(folder.iterdir()) == []
    assert api.post(f"/api/datasets/import?name=Again&upload={upload}").json()["code"] == "upload_not_found"


def test_file_in_chunks_becomes_code(api: TestClient) -> None:
    project = api.post("/api/projects", json={"name": "P"}).json()["id"]
    upload = sent(api, zip_of({"train.py": b"pass"}), "code")
    reply = api.put(f"/api/projects/{project}/code?upload={upload}")
    assert [file["path"] for file in reply.json()["code"]["files"]] == ["train.py"]


def test_refused_archive_is_not_kept(api: TestClient, folder: Path) -> None:
    upload = sent(api, zip_of(yolo_files(**{"train/labels/a.txt": b"9 0.5 0.5 0.2 0.2\n"})))
    reply = api.post(f"/api/datasets/import?name=Bad&upload={upload}")
    assert reply.status_code == 422
    assert (reply.json()["problems"][0]["file"], reply.json()["problems"][0]["line"]) == ("train/labels/a.txt", 1)
    assert list(folder.iterdir()) == []


def test_interrupted_file_goes_on_where_it_stopped(api: TestClient) -> None:
    content = zip_of(yolo_files())
    upload = begin(api, len(content))
    assert api.put(f"/api/uploads/{upload}?offset=0", content=content[:700]).json()["received_bytes"] == 700
    assert api.put(f"/api/uploads/{upload}?offset=0", content=content[:700]).json()["received_bytes"] == 700
    early = api.put(f"/api/uploads/{upload}?offset=900", content=content[900:])
    assert (early.status_code, early.json()["code"]) == (409, "upload_out_of_order")
    assert early.json()["params"]["received"] == 700
    unfinished = api.post(f"/api/datasets/import?name=Half&upload={upload}")
    assert (unfinished.status_code, unfinished.json()["code"]) == (409, "upload_incomplete")
    assert api.get(f"/api/uploads/{upload}").json()["received_bytes"] == 700
    api.put(f"/api/uploads/{upload}?offset=700", content=content[700:])
    assert api.post(f"/api/datasets/import?name=Whole&upload={upload}").status_code == 200


def test_too_large_is_said_before_a_byte_is_sent(api: TestClient, settings: Settings, folder: Path) -> None:
    reply = api.post("/api/uploads", json={"purpose": "dataset", "size_bytes": (settings.archive_max_mb << 20) + 1})
    assert (reply.status_code, reply.json()["code"]) == (413, "upload_too_large")
    upload = begin(api, 10)
    longer = api.put(f"/api/uploads/{upload}?offset=0", content=b"x" * 11)
    assert (longer.status_code, longer.json()["code"]) == (413, "upload_longer_than_said")
    huge = api.put(f"/api/uploads/{upload}?offset=0", content=bytes((8 << 20) + 1))
    assert (huge.status_code, huge.json()["code"]) == (413, "chunk_too_large")
    assert api.delete(f"/api/uploads/{upload}").status_code == 204
    assert list(folder.iterdir()) == []


def test_disk_without_room_is_said_before_a_byte_is_sent(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1 << 40, 1 << 40, 100 << 20))
    reply = api.post("/api/uploads", json={"purpose": "dataset", "size_bytes": 1000})
    assert (reply.status_code, reply.json()["code"]) == (503, "disk_full")
    assert "100 MB" in reply.json()["message"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_disk_that_fills_up_is_named(api: TestClient, folder: Path) -> None:
    upload = begin(api, 20)
    [file] = folder.glob(f"{upload}-*")
    file.unlink()
    file.symlink_to("/dev/full")
    reply = api.put(f"/api/uploads/{upload}?offset=0", content=b"x" * 20)
    assert (reply.status_code, reply.json()["code"]) == (503, "disk_full_now")
    file.unlink()


@pytest.mark.parametrize("upload", ["0123456789abcdef", "..", "x*", "*", "0123456789abcde?"])
def test_unknown_upload_names_no_file(api: TestClient, upload: str) -> None:
    sent(api, b"something")
    assert api.get(f"/api/uploads/{upload}").status_code in (404, 405)
    reply = api.post("/api/datasets/import", params={"name": "n", "upload": upload})
    assert (reply.status_code, reply.json()["code"]) == (404, "upload_not_found")


def test_file_for_code_is_not_taken_as_a_dataset(api: TestClient) -> None:
    upload = sent(api, zip_of({"train.py": b"pass"}), "code")
    assert api.post(f"/api/datasets/import?name=n&upload={upload}").json()["code"] == "upload_for_other"
