"""Browsing, correcting and freezing datasets over HTTP, and reading samples back for runs."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from backend.contracts.markup import Annotation, Markup, Shape
from backend.domain.errors import ConflictError, NotFoundError
from backend.settings import Settings
from backend.wiring import Connections, Services, utc_now
from tests.integration.uploads import jpeg, yolo_files, zip_of


@pytest.fixture
def dataset(api: TestClient) -> str:
    reply = api.post("/api/datasets/import?name=welds", content=zip_of(yolo_files()))
    return str(reply.json()["id"])


def items(api: TestClient, dataset: str, query: str = "") -> list[dict]:
    return api.get(f"/api/datasets/{dataset}/items?{query}").json()["items"]


def box(name: str = "pore", corners: tuple = ((1, 1), (9, 9))) -> dict:
    return {"class": name, "shape": {"type": "rectangle", "exterior": corners}}


def save(api: TestClient, item: dict, *boxes: dict, base: int | None = None):
    body = {"base_revision": base or item["revision"], "markup": {"annotation": boxes}}
    return api.put(f"/api/items/{item['id']}/markup", json=body)


def test_filters_and_pages(api: TestClient, dataset: str) -> None:
    assert [i["name"] for i in items(api, dataset, "class_name=crack")] == ["a.jpg", "c.jpg"]
    assert [i["name"] for i in items(api, dataset, "class_name=crack&split=val")] == ["c.jpg"]
    page = api.get(f"/api/datasets/{dataset}/items?offset=1&limit=2").json()
    assert ([i["name"] for i in page["items"]], page["total"]) == (["b.jpg", "c.jpg"], 4)
    assert api.get(f"/api/datasets/{dataset}/items?limit=0").json()["code"] == "request_invalid"
    assert api.get("/api/datasets/none/items").status_code == 404


def test_saved_markup_is_a_new_revision_and_changes_the_dataset(api: TestClient, dataset: str) -> None:
    item = items(api, dataset)[0]
    saved = save(api, item, box(), box("crack"), box()).json()
    assert saved["revision"] == 2 and len(saved["markup"]["annotation"]) == 3
    assert api.get(f"/api/items/{item['id']}").json() == saved
    seen = api.get(f"/api/datasets/{dataset}").json()
    assert seen["is_changed"] and seen["splits"]["train"]["boxes"] == 3
    revisions = api.get(f"/api/items/{item['id']}/revisions").json()
    assert [(r["revision"], r["source"], len(r["markup"]["annotation"])) for r in revisions] == [
        (1, "import", 2),
        (2, "edit", 3),
    ]


def test_outdated_save_is_refused(api: TestClient, dataset: str) -> None:
    item = items(api, dataset)[0]
    assert save(api, item, box()).status_code == 200
    reply = save(api, item)
    assert (reply.status_code, reply.json()["code"]) == (409, "markup_outdated")
    assert reply.json()["params"] == {"base": 1, "current": 2}
    assert len(api.get(f"/api/items/{item['id']}").json()["markup"]["annotation"]) == 1


def test_of_many_simultaneous_saves_one_wins(api: TestClient, dataset: str) -> None:
    item = items(api, dataset)[0]
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda n: save(api, item, *[box()] * n).status_code, range(8)))
    assert sorted(codes) == [200] + [409] * 7
    assert api.get(f"/api/items/{item['id']}").json()["revision"] == 2
    assert len(api.get(f"/api/items/{item['id']}/revisions").json()) == 2


def test_save_that_died_between_its_two_writes_blocks_nobody(
    api: TestClient, dataset: str, connections: Connections
) -> None:
    item = items(api, dataset)[0]
    left = {"_id": f"{item['id']}:2", "item_id": item["id"], "dataset_id": dataset, "revision": 2, "source": "edit"}
    connections.database["item_revisions"].insert_one({**left, "markup": {"annotation": []}, "created_at": utc_now()})
    assert save(api, item, box()).status_code == 409
    current = api.get(f"/api/items/{item['id']}").json()
    assert (current["revision"], current["markup"]["annotation"]) == (2, [])
    assert save(api, current, box()).json()["revision"] == 3


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        (box("crak"), "class_unknown_nearest"),
        (box("zzz"), "class_unknown"),
        (box(corners=((1, 1), (41, 9))), "rectangle_outside_image"),
        (box(corners=((-1, 1), (9, 9))), "rectangle_outside_image"),
        (box(corners=((9, 1), (1, 9))), "rectangle_empty"),
        (box(corners=((1, 1), (1, 9))), "rectangle_empty"),
        (box(corners=((1, 1),)), "rectangle_needs_two_points"),
    ],
)
def test_bad_markup_is_refused(api: TestClient, dataset: str, annotation: dict, code: str) -> None:
    item = items(api, dataset)[0]
    reply = save(api, item, box(), annotation)
    assert (reply.status_code, reply.json()["code"]) == (422, "markup_invalid")
    assert [(p["code"], p["params"]["number"]) for p in reply.json()["problems"]] == [(code, 2)]
    assert api.get(f"/api/items/{item['id']}").json()["revision"] == 1


def test_freezing_makes_a_version_only_when_something_changed(api: TestClient, dataset: str) -> None:
    path = f"/api/datasets/{dataset}/versions"
    assert api.post(path, json={"note": "same"}).json()["number"] == 1
    save(api, items(api, dataset)[0], box())
    second = api.post(path, json={"note": "corrected"}).json()
    assert (second["number"], second["note"], second["splits"]["train"]) == (2, "corrected", {"images": 2, "boxes": 1})
    assert api.post(path, json={}).json() == second
    assert not api.get(f"/api/datasets/{dataset}").json()["is_changed"]
    assert [version["number"] for version in api.get(path).json()] == [2, 1]


def test_simultaneous_freezes_make_one_version(api: TestClient, dataset: str, services: Services) -> None:
    save(api, items(api, dataset)[0], box())
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda _: services.datasets.freeze(dataset).number, range(6)))
    assert numbers == [2] * 6
    assert len(api.get(f"/api/datasets/{dataset}/versions").json()) == 2


def test_sample_of_an_old_version_has_the_markup_of_then(api: TestClient, dataset: str, services: Services) -> None:
    before = list(services.datasets.sample_entries(dataset, 1, "train"))
    save(api, items(api, dataset)[0])
    services.datasets.freeze(dataset)
    assert list(services.datasets.sample_entries(dataset, 1, "train")) == before
    assert [entry.name for entry in before] == ["a.jpg", "b.jpg"]
    expected = Annotation(class_name="crack", shape=Shape(type="rectangle", exterior=((16, 6), (24, 14))))
    assert before[0].markup.annotation[0] == expected
    assert next(services.datasets.sample_entries(dataset, 2, "train")).markup == Markup()
    assert services.datasets.classes(dataset) == ("pore", "crack")
    with pytest.raises(NotFoundError, match="version_not_found"):
        services.datasets.sample_entries(dataset, 3, "train")


def test_deleting_takes_everything_but_other_datasets(api: TestClient, dataset: str, connections: Connections) -> None:
    other = api.post("/api/datasets/import?name=other", content=zip_of(yolo_files())).json()["id"]
    assert api.delete(f"/api/datasets/{dataset}").status_code == 204
    assert api.get(f"/api/datasets/{dataset}").status_code == 404
    for name in ("items", "item_revisions", "dataset_versions"):
        assert connections.database[name].count_documents({"dataset_id": dataset}) == 0
    assert len(items(api, other)) == 4
    assert api.delete(f"/api/datasets/{dataset}").status_code == 404


def test_deletion_that_was_cut_short_is_finished_at_the_next_start(
    api: TestClient, dataset: str, services: Services, connections: Connections
) -> None:
    connections.database["datasets"].update_one({"_id": dataset}, {"$set": {"state": "deleting"}})
    services.clean_up()
    assert connections.database["items"].count_documents({"dataset_id": dataset}) == 0
    with pytest.raises(NotFoundError):
        services.datasets.dataset(dataset)


def test_thumbnail_is_a_small_jpeg_that_browsers_keep(
    api: TestClient, settings: Settings, connections: Connections
) -> None:
    sha256 = connections.objects.put_bytes(jpeg(400, 200))
    reply = api.get(f"/api/objects/{sha256}?width=100")
    with Image.open(io.BytesIO(reply.content)) as image:
        assert (image.format, image.size) == ("JPEG", (96, 48))
    assert "immutable" in reply.headers["cache-control"]
    assert (
        api.get(f"/api/objects/{sha256}?width=100", headers={"If-None-Match": reply.headers["etag"]}).status_code == 304
    )
    with Image.open(io.BytesIO(api.get(f"/api/objects/{sha256}?width=4000").content)) as image:
        assert image.size == (400, 200)
    assert len(list((settings.home_dir / "cache" / "thumbnails").rglob("*.jpg"))) >= 2


def test_objects_are_never_served_as_something_a_browser_runs(api: TestClient, connections: Connections) -> None:
    sha256 = connections.objects.put_bytes(b"<html><script>alert(1)</script>")
    reply = api.get(f"/api/objects/{sha256}")
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert api.get(f"/api/objects/{sha256}?width=64").json()["code"] == "image_unknown"
    assert api.get(f"/api/objects/{'0' * 64}").status_code == 404
    assert api.get("/api/objects/..%2f..%2fetc").status_code in (404, 422)


def test_sixteen_bit_radiograph_has_a_readable_thumbnail(api: TestClient, connections: Connections) -> None:
    image = Image.new("I;16", (64, 64), 1000)
    image.paste(40000, (0, 0, 32, 64))
    out = io.BytesIO()
    image.save(out, "TIFF")
    reply = api.get(f"/api/objects/{connections.objects.put_bytes(out.getvalue())}?width=64")
    with Image.open(io.BytesIO(reply.content)) as thumbnail:
        assert thumbnail.getpixel((5, 30)) > 240 and thumbnail.getpixel((60, 30)) < 15


def test_is_changed_is_seen_by_the_list_too(api: TestClient, dataset: str) -> None:
    save(api, items(api, dataset)[0], box())
    listed = next(d for d in api.get("/api/datasets").json() if d["id"] == dataset)
    assert listed == api.get(f"/api/datasets/{dataset}").json()
    assert listed["is_changed"]


def test_store_refuses_a_version_number_twice(dataset: str, services: Services) -> None:
    store = services.datasets._version_store
    newest = store.newest(dataset)
    assert newest is not None
    with pytest.raises(ConflictError):
        store.insert(newest)
