"""Importing datasets over HTTP: sound ones appear whole, bad ones leave nothing but a located explanation."""

import io
import stat
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from backend.contracts.datasets import DatasetItem
from backend.settings import Settings
from backend.wiring import Connections, Services, utc_now
from tests.integration.uploads import (
    ROW,
    YAML,
    jpeg,
    write_tree,
    yolo_files,
    zip_encrypted,
    zip_of,
    zip_with_link,
    zip_with_mode,
    zip_with_raw_name,
)

COLLECTIONS = ("datasets", "items", "item_revisions", "dataset_versions")


def upload(api: TestClient, content: bytes, name: str = "welds"):
    return api.post("/api/datasets/import", params={"name": name}, content=content)


@pytest.fixture
def nothing_is_kept(connections: Connections, settings: Settings):
    """Fails when the test leaves a document, a scratch file or a temporary folder behind."""

    def counts() -> dict[str, int]:
        return {name: connections.database[name].count_documents({}) for name in COLLECTIONS}

    before = counts()
    yield
    assert counts() == before
    assert list((settings.home_dir / "scratch").iterdir()) == []


def test_zip_becomes_a_dataset(api: TestClient) -> None:
    dataset = upload(api, zip_of(yolo_files())).json()
    assert dataset["classes"] == ["pore", "crack"]
    assert dataset["splits"] == {
        "train": {"images": 2, "boxes": 2},
        "val": {"images": 1, "boxes": 1},
        "test": {"images": 1, "boxes": 0},
    }
    assert (dataset["latest_version"], dataset["is_changed"], dataset["warnings"]) == (1, False, [])
    page = api.get(f"/api/datasets/{dataset['id']}/items").json()
    assert [(item["split"], item["name"]) for item in page["items"]] == [
        ("train", "a.jpg"),
        ("train", "b.jpg"),
        ("val", "c.jpg"),
        ("test", "d.jpg"),
    ]
    first = page["items"][0]
    assert (first["width"], first["height"], first["revision"]) == (40, 20, 1)
    boxes = [(a["class"], a["shape"]["exterior"]) for a in first["markup"]["annotation"]]
    assert boxes == [("crack", [[16, 6], [24, 14]]), ("pore", [[8, 4], [12, 6]])]
    assert dataset["id"] in [d["id"] for d in api.get("/api/datasets").json()]
    image = api.get(f"/api/objects/{first['image']}")
    assert image.content == jpeg() and image.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize("prefix", ["welds/", "Сварные швы/"])
def test_single_top_folder_and_system_noise_do_not_matter(api: TestClient, prefix: str) -> None:
    files = {prefix + path: content for path, content in yolo_files().items()}
    files |= {f"__MACOSX/{prefix}._data.yaml": b"\x00", f"{prefix}train/images/.DS_Store": b"\x00"}
    dataset = upload(api, zip_of(files)).json()
    assert dataset["splits"]["train"]["images"] == 2 and dataset["warnings"] == []


def test_other_layout_classes_txt_and_polygons(api: TestClient) -> None:
    files = {
        "classes.txt": "пора\ntрещина\n".encode(),
        "images/train/a.png": png(40, 20),
        "labels/train/a.txt": b"1 0.1 0.2 0.6 0.2 0.6 0.9\n",
        "images/val/a.jpg": jpeg(),
    }
    dataset = upload(api, zip_of(files)).json()
    assert [w["code"] for w in dataset["warnings"]] == ["split_missing"]
    item = api.get(f"/api/datasets/{dataset['id']}/items?split=train").json()["items"][0]
    assert item["markup"]["annotation"][0]["shape"]["exterior"] == [[4, 4], [24, 18]]


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "PNG")
    return out.getvalue()


def test_folder_and_demo(api: TestClient, tmp_path: Path, settings: Settings) -> None:
    folder = write_tree(tmp_path / "data", yolo_files())
    reply = api.post("/api/datasets/import-folder", json={"path": str(folder), "name": "folder"})
    assert reply.json()["splits"]["train"]["images"] == 2
    demo = api.post("/api/datasets/import-demo", json={"images": 6, "seed": 3}).json()
    assert sum(split["images"] for split in demo["splits"].values()) == 6
    assert list((settings.home_dir / "scratch").iterdir()) == []


LABEL_FAULTS = [
    (b"2 0.5 0.5 0.1 0.1", "class_out_of_range", 1),
    (ROW + b"-1 0.5 0.5 0.1 0.1", "class_out_of_range", 2),
    (b"pore 0.5 0.5 0.1 0.1", "class_not_integer", 1),
    (b"0.5 0.5 0.5 0.1 0.1", "class_not_integer", 1),
    (b"\n\n0 0.5 0.5 0.1", "label_field_count", 3),
    (b"0 0.5 0.5 0.1 0.1 0.2", "label_field_count", 1),
    (b"0 0.5 x 0.1 0.1", "label_not_number", 1),
    (b"0 0.5 nan 0.1 0.1", "label_not_number", 1),
    (b"0 0.5 1.2 0.1 0.1", "coordinate_out_of_range", 1),
    (b"0 -0.01 0.5 0.1 0.1", "coordinate_out_of_range", 1),
    (b"0 0.05 0.5 0.2 0.1", "box_outside_image", 1),
    (b"0 0.5 0.5 0 0.1", "box_empty", 1),
    ("0 0.5 0.5 0.1 0.1 # швы".encode("cp1251"), "text_not_utf8", 1),
]


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(("rows", "code", "line"), LABEL_FAULTS)
def test_faulty_label_is_named_by_file_and_line(api: TestClient, rows: bytes, code: str, line: int) -> None:
    reply = upload(api, zip_of(yolo_files(**{"valid/labels/c.txt": rows})))
    assert (reply.status_code, reply.json()["code"]) == (422, "dataset_invalid")
    problem = reply.json()["problems"][0]
    assert (problem["code"], problem["file"], problem["line"]) == (code, "valid/labels/c.txt", line)


TREE_FAULTS = [
    ({"train/labels/ghost.txt": ROW}, "label_without_image", "train/labels/ghost.txt"),
    ({"train/images/a.png": png(4, 4)}, "image_stem_twice", "train/images/a.png"),
    ({"train/images/b.jpg": jpeg()[:-20]}, "image_broken", "train/images/b.jpg"),
    ({"train/images/b.jpg": b"GIF89a not one of ours"}, "image_unknown", "train/images/b.jpg"),
    ({"train/images/b.png": png(2000, 1001)}, "image_too_many_pixels", "train/images/b.png"),
    ({"data.yaml": None}, "classes_missing", None),
    ({"data.yaml": b"names: [a, b\n"}, "yaml_syntax", "data.yaml"),
    ({"data.yaml": b"nc: 3\nnames: [a, b]\n"}, "class_count_differs", "data.yaml"),
    ({"data.yaml": b"names: {0: a, 2: b}\n"}, "class_ids_not_contiguous", "data.yaml"),
    ({"data.yaml": b"names: [a, a]\n"}, "class_name_twice", "data.yaml"),
    ({"data.yaml": b"a: &a [x]\nb: &b [*a, *a]\nnames: [*b, *b]\n"}, "yaml_alias", "data.yaml"),
    ({"data.yaml": b"names: " + b"[" * 5000 + b"]" * 5000}, "yaml_too_deep", "data.yaml"),
    ({"data.yaml": b"names: !!python/object/apply:os.system [id]\n"}, "class_out_of_range", "train/labels/a.txt"),
]


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(("replaced", "code", "file"), TREE_FAULTS)
def test_faulty_tree_is_refused_whole(api: TestClient, replaced: dict, code: str, file: str | None) -> None:
    reply = upload(api, zip_of(yolo_files(**replaced)))
    assert reply.status_code == 422
    assert (code, file) in [(problem["code"], problem["file"]) for problem in reply.json()["problems"]]


@pytest.mark.usefixtures("nothing_is_kept")
def test_every_fault_is_counted_and_the_first_are_listed(api: TestClient) -> None:
    rows = {"train/labels/a.txt": b"9 0.5 0.5 0.1 0.1\n" * 150, "valid/labels/c.txt": b"x\n" * 150}
    reply = upload(api, zip_of(yolo_files(**rows)))
    assert reply.json()["params"]["count"] == 300
    assert len(reply.json()["problems"]) == 200
    assert "300" in reply.json()["message"]


@pytest.mark.usefixtures("nothing_is_kept")
def test_no_images_at_all(api: TestClient) -> None:
    reply = upload(api, zip_of({"data.yaml": YAML, "readme.md": b"nothing"}))
    assert "dataset_without_images" in [problem["code"] for problem in reply.json()["problems"]]


def overlapping_bomb() -> bytes:
    return zip_of({**yolo_files(), "train/images/z.bmp": b"\0" * (20 << 20)})


HOSTILE = [
    (zip_of({**yolo_files(), "../evil.txt": b"x"}), "path_climbs", "../evil.txt"),
    (zip_of({**yolo_files(), "train/../../evil.txt": b"x"}), "path_climbs", "train/../../evil.txt"),
    (zip_of({**yolo_files(), "__MACOSX/../../evil": b"x"}), "path_climbs", "__MACOSX/../../evil"),
    (zip_of({**yolo_files(), "/etc/evil": b"x"}), "path_absolute", "/etc/evil"),
    (zip_of({**yolo_files(), "C:/evil": b"x"}), "path_drive_letter", "C:/evil"),
    (zip_of({**yolo_files(), "..\\evil": b"x"}), "path_backslash", "..\\evil"),
    (zip_with_raw_name(b"evil\x00.txt", yolo_files(), False), "path_control_character", "evil\\x00.txt"),
    (zip_with_raw_name(b"\xef\xe5\xf0.txt", yolo_files(), False), "archive_name_not_utf8", None),
    (zip_with_raw_name(b"\xef\xe5\xf0.txt", yolo_files(), True), "archive_name_not_utf8", None),
    (zip_with_link("train/images/l.jpg", "/etc/passwd", yolo_files()), "archive_symlink", "train/images/l.jpg"),
    (zip_with_mode("pipe", stat.S_IFIFO | 0o644, b"", yolo_files()), "archive_special_file", "pipe"),
    (zip_encrypted(yolo_files()), "archive_encrypted", "data.yaml"),
    (zip_of(yolo_files(), zipfile.ZIP_LZMA), "archive_method", "data.yaml"),
    (zip_of({**yolo_files(), "data.yaml/x": b""}), "path_clash", "data.yaml/x"),
    (overlapping_bomb(), "archive_ratio", "train/images/z.bmp"),
    (zip_of({f"{n}.bin": bytes([n]) * (7 << 20) for n in range(10)}), "archive_too_large", "9.bin"),
    (zip_of({f"{n}": b"" for n in range(2001)}), "archive_too_many_files", None),
    (b"Rar!\x1a\x07\x00", "archive_not_zip", None),
    (b"", "archive_not_zip", None),
    (zip_of(yolo_files())[:-30], "archive_truncated", None),
]


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize(("content", "code", "entry"), HOSTILE, ids=lambda v: v if isinstance(v, str) else "")
def test_hostile_archive_is_refused_with_the_entry_named(
    api: TestClient, content: bytes, code: str, entry: str | None
) -> None:
    reply = upload(api, content)
    assert (reply.status_code, reply.json()["code"]) == (413 if code in TOO_LARGE else 422, code)
    if entry is not None:
        assert reply.json()["params"]["entry"] == entry
        assert entry in reply.json()["message"]


TOO_LARGE = ("archive_ratio", "archive_too_large", "archive_too_many_files")


@pytest.mark.usefixtures("nothing_is_kept")
def test_two_entries_of_one_path(api: TestClient) -> None:
    out = io.BytesIO(zip_of(yolo_files()))
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("data.yaml", YAML)
    assert upload(api, out.getvalue()).json()["code"] == "path_twice"


@pytest.mark.usefixtures("nothing_is_kept")
def test_entry_that_claims_to_be_smaller_than_it_is(api: TestClient) -> None:
    content = bytearray(zip_of({"train/images/a.bmp": b"\0" * (20 << 20), **yolo_files()}))
    position = content.index(b"PK\x01\x02") + 24
    content[position : position + 4] = (1000).to_bytes(4, "little")
    problems = upload(api, bytes(content)).json()["problems"]
    assert ("archive_entry_broken", "train/images/a.bmp") in [(p["code"], p["file"]) for p in problems]


@pytest.mark.usefixtures("nothing_is_kept")
def test_damaged_entry(api: TestClient) -> None:
    content = bytearray(zip_of(yolo_files(), zipfile.ZIP_STORED))
    content[content.index(jpeg()) + 100] ^= 0xFF
    problems = upload(api, bytes(content)).json()["problems"]
    assert [(p["code"], p["file"]) for p in problems] == [("archive_entry_broken", "train/images/a.jpg")]


@pytest.mark.usefixtures("nothing_is_kept")
def test_upload_over_the_limit_stops_while_it_is_sent(api: TestClient) -> None:
    def chunks():
        for _ in range(70):
            yield b"\0" * (1 << 20)

    reply = api.post("/api/datasets/import?name=big", content=chunks())
    assert (reply.status_code, reply.json()["code"]) == (413, "upload_too_large")


@pytest.mark.usefixtures("nothing_is_kept")
@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\nb"])
def test_bad_dataset_name(api: TestClient, name: str) -> None:
    assert upload(api, zip_of(yolo_files()), name).json()["code"] == "name_invalid"


@pytest.mark.usefixtures("nothing_is_kept")
def test_folder_that_is_not_there(api: TestClient) -> None:
    for path, code in (("/nowhere/at/all", "folder_not_found"), ("welds", "folder_not_absolute")):
        assert api.post("/api/datasets/import-folder", json={"path": path, "name": "x"}).json()["code"] == code


def test_killed_import_is_never_shown_and_is_cleaned_up(
    api: TestClient, connections: Connections, services: Services
) -> None:
    """What a process that died in the middle leaves: a reservation, items, revisions."""
    before = {name: connections.database[name].count_documents({}) for name in COLLECTIONS}
    item = api.get(f"/api/items/{any_item(api)}").json()
    dead = DatasetItem.model_validate({**item, "id": "dead-item", "dataset_id": "dead"})
    services.datasets._items.insert_imported([dead], {})
    connections.database["datasets"].insert_one(
        {"_id": "dead", "state": "importing", "touched_at": utc_now() - timedelta(minutes=5), "created_at": utc_now()}
    )
    assert "dead" not in [d["id"] for d in api.get("/api/datasets").json()]
    assert api.get("/api/datasets/dead").status_code == 404
    assert api.get("/api/items/dead-item").status_code == 404
    services.clean_up()
    assert {name: connections.database[name].count_documents({}) for name in COLLECTIONS} == before


def any_item(api: TestClient) -> str:
    dataset = upload(api, zip_of(yolo_files())).json()["id"] if not api.get("/api/datasets").json() else None
    dataset = dataset or api.get("/api/datasets").json()[0]["id"]
    return api.get(f"/api/datasets/{dataset}/items?limit=1").json()["items"][0]["id"]


def test_running_import_is_left_alone(connections: Connections, services: Services) -> None:
    connections.database["datasets"].insert_one({"_id": "alive", "state": "importing", "touched_at": utc_now()})
    services.clean_up()
    assert connections.database["datasets"].delete_one({"_id": "alive"}).deleted_count == 1


def test_token_is_needed(api: TestClient) -> None:
    for method, path in (("GET", "/api/datasets"), ("POST", "/api/datasets/import?name=x"), ("GET", "/api/objects/0")):
        assert api.request(method, path, headers={"Authorization": "Bearer wrong"}).status_code == 403
