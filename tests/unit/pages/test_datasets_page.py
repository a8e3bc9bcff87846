import json

import pytest
from streamlit.testing.v1 import AppTest

from backend.contracts.base import ErrorReply, Problem
from backend.contracts.datasets import DatasetVersion, NearCopy, NearDuplicate, NearDuplicates
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


LEAK = Problem(code="near_duplicates", params={"count": 7, "val": 3, "test": 4, "examples": "val/a.jpg ≈ train/b.jpg"})


def near_duplicates(**fields):
    sides = [
        NearCopy(item_id="i0", name=HOSTILE, split="train", image="ab" * 32),
        NearCopy(item_id="i1", name="b.jpg", split="val", image="cd" * 32),
    ]
    pair = NearDuplicate(left=sides[0], right=sides[1], distance=4, likeness=0.987)
    within = pair.model_copy(update={"right": sides[0]})
    found = {"is_checked": True, "is_complete": True, "image_count": 120, "max_images": 50000}
    return NearDuplicates(
        **{
            **found,
            "leaked": {"val": 3, "test": 4},
            "pair_count": 2,
            "pairs": (pair, within),
            "groups": (("i0", "i1"),),
            **fields,
        }
    )


def test_without_near_copies_nothing_is_said_about_them(world, open_page):
    add_dataset(world, is_copy_checked=True)
    page = open_page("datasets", dataset="d1")
    assert not page.exception
    assert not page.warning and "check_copies" not in {button.key for button in page.button}


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "3 of 20 validation images and 4 of 20 test images"), ("ru", "3 из 20 снимков проверочной выборки и 4 из")],
)
def test_near_copies_across_splits_are_said_in_plain_words_and_once(world, open_page, language, words):
    add_dataset(world, warnings=(LEAK,), is_copy_checked=True)
    page = open_page("datasets", language=language, dataset="d1")
    assert not page.exception
    assert words in page.warning[0].value
    assert not page.expander


def test_examples_are_pairs_across_splits_with_hostile_names_escaped(world, open_page):
    add_dataset(world, warnings=(LEAK,), is_copy_checked=True)
    world.near_duplicates["d1"] = near_duplicates()
    page = open_page("datasets", dataset="d1")
    page.button(key="look_at_copies").click().run()
    assert not page.exception
    (pairs,) = [str(one.proto.body) for one in page.get("html") if "<figure" in str(one.proto.body)]
    assert pairs.count("<figure>") == 1 and f"/objects/{'cd' * 32}?width=480" in pairs
    assert "<img src=x" not in pairs and "<script" not in pairs
    assert "98.7" not in pairs and "99 %" in pairs
    assert "2 of 120 images of the dataset, in 1 groups" in shown_text(page)


def test_a_grouped_split_says_what_it_does(world, open_page):
    add_dataset(world, warnings=(LEAK,), is_copy_checked=True)
    page = open_page("datasets", dataset="d1")
    page.button(key="regroup").click().run()
    assert not page.exception
    assert "Nothing changes in “Demo welds”" in shown_text(page)
    assert page.text_input(key="regroup_name").value == "Demo welds, by groups"
    assert world.bodies("POST", "/datasets/d1/grouped-split") == []


@pytest.fixture
def regroup_dialog(world, monkeypatch):
    """The dialog alone: AppTest runs a whole page anew after a click, and the page would not open it again."""

    def script():
        import streamlit as st

        from app.api_client import api
        from app.components import near_copies

        if st.query_params["dataset"] == "d1":
            near_copies.ask_regroup(api().dataset("d1"))

    monkeypatch.setattr("app.i18n.default_language", lambda: "en")
    add_dataset(world, warnings=(LEAK,), is_copy_checked=True)
    app = AppTest.from_function(script, default_timeout=30)
    app.query_params.update(dataset="d1", split="val", page="2")
    return app.run()


def test_agreeing_makes_the_new_dataset_and_opens_it(world, regroup_dialog):
    world.created["/datasets/d1/grouped-split"] = contract_objects.dataset(id="d2", name="Demo welds, by groups")
    regroup_dialog.button(key="regroup_agree").click().run()
    assert not regroup_dialog.exception
    assert json.loads(world.bodies("POST", "/datasets/d1/grouped-split")[0]) == {"name": "Demo welds, by groups"}
    assert regroup_dialog.query_params["dataset"] in ("d2", ["d2"])
    assert not {"split", "page"} & set(regroup_dialog.query_params)


def test_a_refused_grouped_split_is_explained(world, regroup_dialog):
    reply = ErrorReply(code="split_impossible", params={"groups": 1, "splits": 3}, message="no")
    world.failures["POST", "/datasets/d1/grouped-split"] = (422, reply)
    regroup_dialog.button(key="regroup_agree").click().run()
    assert not regroup_dialog.exception
    assert "1 groups, but there are 3 splits" in regroup_dialog.error[0].value


def test_an_older_dataset_is_looked_through_on_demand(world, open_page):
    add_dataset(world)
    world.near_duplicates["d1"] = near_duplicates(leaked={"val": 0, "test": 0}, pairs=(), groups=(), pair_count=0)
    page = open_page("datasets", dataset="d1")
    page.button(key="check_copies").click().run()
    assert not page.exception
    assert page.toast and "No near copies" in page.toast[0].value
