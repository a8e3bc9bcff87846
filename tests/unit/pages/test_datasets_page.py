import json

from backend.contracts.base import ErrorReply, Problem
from backend.contracts.datasets import DatasetVersion
from tests.unit.app import contract_objects, data_objects
from tests.unit.app.data_objects import HOSTILE
from tests.unit.app.ui_fixtures import shown_text


def add_dataset(world, count=1, **fields):
    world.datasets["d1"] = contract_objects.dataset(**fields)
    for number in range(count):
        world.items[f"i{number}"] = data_objects.item(id=f"i{number}", name=f"weld_{number:03d}.jpg")


def grid_items(page):
    (grid,) = [one for one in page.get("bidi_component") if "dataset_grid" in one.proto.component_name]
    return json.loads(grid.proto.json)["items"]


def asked_items(world):
    return [query for method, path, query, _ in world.requests if path == "/datasets/d1/items"]


def test_without_datasets_the_page_offers_an_import_and_demo_data(world, open_page):
    page = open_page("datasets")
    assert not page.exception
    assert "No datasets yet" in page.info[0].value
    world.created["/datasets/import-demo"] = contract_objects.dataset(id="d1")
    page.button(key="import_demo").click().run()
    assert not page.exception
    assert json.loads(world.bodies("POST", "/datasets/import-demo")[0]) == {"name": "Demo welds", "images": 120}
    assert page.query_params["dataset"] in ("d1", ["d1"])


def test_the_grid_shows_images_with_their_boxes(world, open_page):
    add_dataset(world, count=2)
    page = open_page("datasets", dataset="d1")
    assert not page.exception
    cards = grid_items(page)
    assert [card["name"] for card in cards] == ["weld_000.jpg", "weld_001.jpg"]
    assert cards[0]["src"] == f"/objects/{'ab' * 32}?width=480"
    assert cards[0]["boxes"] == [{"class": "crack", "x1": 10.2, "y1": 20.4, "x2": 110.6, "y2": 90.8}]


def test_filters_and_page_come_from_the_url_and_nonsense_there_is_ignored(world, open_page):
    add_dataset(world, count=60)
    page = open_page("datasets", dataset="d1", split="train", page="2", **{"class": "crack"})
    assert not page.exception
    asked = asked_items(world)[-1]
    assert asked == {"split": "train", "class_name": "crack", "offset": "24", "limit": "24"}
    page = open_page("datasets", dataset="../x", split="nonsense", page="-3", **{"class": "nonsense"})
    assert not page.exception
    assert asked_items(world)[-1] == {"offset": "0", "limit": "24"}


def test_a_page_past_the_end_becomes_the_first(world, open_page):
    add_dataset(world, count=3)
    page = open_page("datasets", dataset="d1", page="9")
    assert not page.exception
    assert len(grid_items(page)) == 3
    assert "page" not in page.query_params


def test_a_refused_import_shows_file_and_line_and_keeps_the_page(world, open_page):
    add_dataset(world)
    problem = Problem(code="nobody_knows_this", params={"class": 9}, file="train/labels/a.txt", line=3)
    reply = ErrorReply(code="nobody_knows_that", message="1 fault in the dataset", problems=(problem,))
    world.failures["POST", "/datasets/import-folder"] = (422, reply)
    page = open_page("datasets", dataset="d1", **{"import": "1"})
    page.text_input(key="import_folder_path").set_value("/data/welds").run()
    page.button(key="import_folder_start").click().run()
    assert not page.exception
    assert json.loads(world.bodies("POST", "/datasets/import-folder")[0]) == {"path": "/data/welds", "name": "welds"}
    assert "1 fault in the dataset" in page.error[0].value
    row = page.dataframe[-1].value.iloc[0] if "File" not in page.dataframe[0].value else page.dataframe[0].value.iloc[0]
    assert (row["File"], row["Line"]) == ("train/labels/a.txt", 3)
    assert len(grid_items(page)) == 1


def test_freezing_asks_for_a_version_only_when_something_changed(world, open_page):
    add_dataset(world)
    page = open_page("datasets", dataset="d1")
    assert page.button(key="freeze_version").disabled
    add_dataset(world, is_changed=True)
    world.created["/datasets/d1/versions"] = DatasetVersion(**contract_objects.version(number=2).model_dump())
    page = open_page("datasets", dataset="d1")
    page.text_input(key="version_note").set_value("after review")
    page.button(key="freeze_version").click().run()
    assert not page.exception
    assert json.loads(world.bodies("POST", "/datasets/d1/versions")[0]) == {"note": "after review"}


def test_delete_asks_first(world, open_page):
    add_dataset(world)
    page = open_page("datasets", dataset="d1")
    page.button(key="delete_dataset").click().run()
    assert not page.exception
    assert "Demo welds" in shown_text(page)
    assert page.button(key="delete_dataset_dialog_agree")
    assert world.bodies("DELETE", "/datasets/d1") == []


def test_hostile_class_names_are_escaped_in_the_legend(world, open_page):
    add_dataset(world, name=HOSTILE, classes=(HOSTILE, "crack"))
    page = open_page("datasets", dataset="d1")
    assert not page.exception
    bodies = "".join(str(one.proto.body) for one in page.get("html"))
    assert "<img" not in bodies
    assert "&lt;img" in bodies


def test_without_a_backend_the_page_says_so(silent_backend, open_page):
    page = open_page("datasets", language="ru")
    assert not page.exception
    assert "не отвечает" in page.warning[0].value
    assert "Наборы данных" in shown_text(page)
