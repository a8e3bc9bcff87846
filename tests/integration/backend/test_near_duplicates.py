"""A dataset with copies across its splits: found at import, shown, and split anew, over HTTP."""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageEnhance, ImageOps

from assets import weld_generator
from backend.services import near_duplicates
from backend.settings import Settings
from backend.wiring import Connections, Services
from tests.integration.uploads import YAML, jpeg, write_tree, zip_of

LEAKS = {"val": 3, "test": 4}


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


AUGMENTATIONS: list[Callable[[Image.Image], Image.Image]] = [
    ImageOps.mirror,
    lambda image: ImageEnhance.Brightness(image).enhance(0.75),
    lambda image: image.rotate(90, expand=True),
    lambda image: image.crop((8, 4, image.width, image.height - 4)),
]


@pytest.fixture(scope="module")
def leaking_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated welds; augmented copies of train images lie in val and test, under names that train has as well."""
    root = tmp_path_factory.mktemp("leaking")
    weld_generator.generate(root, 40, 3)
    originals = sorted((root / "train" / "images").iterdir())
    for folder, count, start in (("valid", LEAKS["val"], 0), ("test", LEAKS["test"], LEAKS["val"])):
        for number, original in enumerate(originals[start : start + count]):
            with Image.open(original) as image:
                copy = encoded(AUGMENTATIONS[number](image), quality=60)
            (root / folder / "images" / f"{original.stem}.jpg").write_bytes(copy)
            (root / folder / "labels" / f"{original.stem}.txt").write_bytes(b"0 0.5 0.5 0.2 0.2\n")
    return root


def imported(api: TestClient, folder: Path, name: str = "leaking") -> dict:
    reply = api.post("/api/datasets/import-folder", json={"path": str(folder), "name": name})
    assert reply.status_code == 200, reply.json()
    return reply.json()


@pytest.fixture(scope="module")
def leaking(api: TestClient, leaking_folder: Path) -> dict:
    return imported(api, leaking_folder)


def items(api: TestClient, dataset: dict) -> list[dict]:
    return api.get(f"/api/datasets/{dataset['id']}/items?limit=500").json()["items"]


def copies(api: TestClient, dataset: dict, limit: int = 100) -> dict:
    return api.get(f"/api/datasets/{dataset['id']}/near-duplicates?limit={limit}").json()


def regroup(api: TestClient, dataset: dict, name: str = "") -> dict:
    return api.post(f"/api/datasets/{dataset['id']}/grouped-split", json={"name": name}).json()


def test_an_import_warns_with_counts_and_examples(leaking: dict) -> None:
    (warning,) = leaking["warnings"]
    assert warning["code"] == "near_duplicates"
    assert {key: warning["params"][key] for key in ("count", "val", "test")} == {"count": 7, **LEAKS}
    assert "≈" in warning["params"]["examples"]
    assert leaking["is_copy_checked"]


def test_generated_welds_alone_have_no_copies(api: TestClient) -> None:
    dataset = api.post("/api/datasets/import-demo", json={"name": "demo", "images": 60, "seed": 7}).json()
    assert dataset["warnings"] == [] and dataset["is_copy_checked"]
    found = copies(api, dataset)
    assert (found["pair_count"], found["groups"], found["leaked"]) == (0, [], {"val": 0, "test": 0})
    assert regroup(api, dataset)["code"] == "split_is_clean"


def test_pairs_name_both_images(api: TestClient, leaking: dict) -> None:
    found = copies(api, leaking)
    assert (found["is_checked"], found["is_complete"], found["leaked"]) == (True, True, LEAKS)
    assert found["pair_count"] == len(found["pairs"]) == len(found["groups"]) == 7
    by_id = {item["id"]: item for item in items(api, leaking)}
    for pair in found["pairs"]:
        left, right = pair["left"], pair["right"]
        assert {left["split"], right["split"]} in ({"train", "val"}, {"train", "test"})
        assert Path(left["name"]).stem == Path(right["name"]).stem
        assert pair["distance"] <= 12 and 0.93 <= pair["likeness"] <= 1
        for side in (left, right):
            item = by_id[side["item_id"]]
            assert (item["name"], item["split"], item["image"]) == (side["name"], side["split"], side["image"])
    assert len(copies(api, leaking, limit=2)["pairs"]) == 2
    assert api.get("/api/datasets/none/near-duplicates").status_code == 404


def test_grouped_split_is_a_new_dataset_without_leaks(api: TestClient, leaking: dict) -> None:
    before, edited = items(api, leaking), items(api, leaking)[0]
    box = {"class": leaking["classes"][0], "shape": {"type": "rectangle", "exterior": [[1, 1], [9, 9]]}}
    body = {"base_revision": 1, "markup": {"annotation": [box]}}
    assert api.put(f"/api/items/{edited['id']}/markup", json=body).status_code == 200
    before = items(api, leaking)
    old = api.get(f"/api/datasets/{leaking['id']}").json()
    new = regroup(api, leaking, "by groups")
    assert (new["name"], new["warnings"], new["latest_version"], new["is_changed"]) == ("by groups", [], 1, False)
    assert {s: c["images"] for s, c in new["splits"].items()} == {s: c["images"] for s, c in old["splits"].items()}
    assert sum(c["boxes"] for c in new["splits"].values()) == sum(c["boxes"] for c in old["splits"].values())
    assert new["classes"] == old["classes"]
    after = items(api, new)
    assert Counter((i["image"], str(i["markup"])) for i in after) == Counter(
        (i["image"], str(i["markup"])) for i in before
    )
    assert not {i["id"] for i in before} & {i["id"] for i in after}
    assert copies(api, new)["leaked"] == {"val": 0, "test": 0} and len(copies(api, new)["groups"]) == 7
    assert items(api, leaking) == before and api.get(f"/api/datasets/{leaking['id']}").json() == old
    again = regroup(api, leaking)
    assert again["name"] == "leaking (grouped)"
    place = [(i["split"], i["name"], i["image"]) for i in after]
    assert [(i["split"], i["name"], i["image"]) for i in items(api, again)] == place


def test_images_stay_while_either_dataset_names_them(
    api: TestClient, services: Services, settings: Settings, leaking_folder: Path
) -> None:
    old = imported(api, leaking_folder, "old")
    new = regroup(api, old)
    image = items(api, new)[0]["image"]
    assert api.delete(f"/api/datasets/{old['id']}").status_code == 204
    services.object_sweep._grace_s = 0.0
    services.object_sweep.sweep()
    assert api.get(f"/api/objects/{image}").status_code == 200
    assert items(api, new)


@pytest.fixture
def nothing_is_left_behind(connections: Connections) -> Iterator[None]:
    names = ("datasets", "items", "item_revisions", "dataset_versions")
    before = {name: connections.database[name].count_documents({}) for name in names}
    yield
    assert {name: connections.database[name].count_documents({}) for name in names} == before


def test_one_group_of_everything_is_refused(api: TestClient, tmp_path: Path) -> None:
    picture = weld_generator.render_weld(1, 1).pixels
    image = Image.fromarray(picture)
    files = {"data.yaml": YAML}
    for folder, change in zip(("train", "valid", "test"), AUGMENTATIONS, strict=False):
        files[f"{folder}/images/a.jpg"] = encoded(change(image))
    dataset = imported(api, write_tree(tmp_path, files), "one scene")
    count = len(api.get("/api/datasets").json())
    reply = api.post(f"/api/datasets/{dataset['id']}/grouped-split", json={})
    assert (reply.status_code, reply.json()["code"]) == (422, "split_impossible")
    assert reply.json()["params"] == {"groups": 1, "splits": 3}
    assert len(api.get("/api/datasets").json()) == count


@pytest.mark.usefixtures("nothing_is_left_behind")
def test_a_failure_in_the_middle_leaves_nothing(
    api: TestClient, services: Services, leaking: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(services.regrouping._versions, "freeze", full)
    with pytest.raises(OSError, match="disk full"):
        services.regrouping.grouped_split(leaking["id"])


def test_a_dataset_imported_before_this_existed_is_looked_through_on_demand(
    api: TestClient, services: Services, connections: Connections, leaking_folder: Path
) -> None:
    dataset = imported(api, leaking_folder, "older")
    mine = {"dataset_id": dataset["id"]}
    connections.database["items"].update_many(mine, {"$unset": {"thumbnail": 1}})
    forgotten = {"$unset": {"is_copy_checked": 1}, "$set": {"warnings": []}}
    connections.database["datasets"].update_one({"_id": dataset["id"]}, forgotten)
    services.regrouping._finder._known.clear()
    assert not api.get(f"/api/datasets/{dataset['id']}").json()["is_copy_checked"]
    assert copies(api, dataset)["leaked"] == LEAKS
    kept = connections.database["items"].count_documents({**mine, "thumbnail": {"$type": "binData"}})
    assert kept == len(items(api, dataset))
    for _ in range(2):
        seen = api.get(f"/api/datasets/{dataset['id']}").json()
        assert seen["is_copy_checked"] and [w["code"] for w in seen["warnings"]] == ["near_duplicates"]
        copies(api, dataset)


def test_more_images_than_are_compared_is_said(
    api: TestClient, services: Services, leaking_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_IMAGES", 10)
    dataset = imported(api, leaking_folder, "large")
    (warning,) = dataset["warnings"]
    assert (warning["code"], warning["params"]["limit"]) == ("near_duplicates_unchecked", 10)
    assert copies(api, dataset)["is_checked"] is False
    assert regroup(api, dataset)["code"] == "near_duplicates_unchecked"


def test_equal_files_of_plain_images_are_copies(api: TestClient) -> None:
    files = {"data.yaml": YAML, "train/images/a.jpg": jpeg(), "test/images/b.jpg": jpeg()}
    dataset = api.post("/api/datasets/import?name=equal", content=zip_of(files)).json()
    assert [w["params"].get("test") for w in dataset["warnings"] if w["code"] == "near_duplicates"] == [1]
