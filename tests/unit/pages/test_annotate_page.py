import json

import pytest

from backend.contracts.base import ErrorReply
from tests.unit.app import contract_objects, data_objects
from tests.unit.app.data_objects import HOSTILE, markup
from tests.unit.app.ui_fixtures import shown_text


def add_items(world, *items):
    world.datasets["d1"] = contract_objects.dataset()
    for item in items or [data_objects.item()]:
        world.items[item.id] = item
        world.revisions[item.id].append(data_objects.revision(item_id=item.id, markup=item.markup))


def canvas(page):
    (found,) = [one for one in page.get("bidi_component") if "drawable" in one.proto.component_name]
    return json.loads(found.proto.json)


def canvas_key(page):
    return next(key for key in page.session_state._state.filtered_state if str(key).startswith("canvas_i"))


def draw(page, label="pore", left=200.0, top=100.0):
    """What the canvas would report after one more box was drawn."""
    drawing = canvas(page)["initialDrawing"]
    box = {"type": "LabeledRect", "label": label, "left": left, "top": top, "width": 95.0, "height": 38.0}
    raw = {"objects": [*drawing["objects"], box]}
    page.session_state[canvas_key(page)] = {"drawing": {"raw": raw, "data": None}, "backgroundFit": None}
    return page.run()


def test_without_datasets_the_page_leads_to_them(world, open_page):
    page = open_page("annotate")
    assert not page.exception
    assert "nothing to annotate yet" in page.info[0].value


def test_the_canvas_holds_the_saved_boxes_in_its_own_pixels(world, open_page):
    add_items(world)
    page = open_page("annotate", dataset="d1", item="i1")
    assert not page.exception
    data = canvas(page)
    assert (data["canvasWidth"], data["canvasHeight"]) == (760, 570)
    (box,) = data["initialDrawing"]["objects"]
    assert box["label"] == "crack"
    assert box["left"] == pytest.approx(10.2 * 760 / 640 - 1)
    assert page.button(key="save_markup").disabled
    assert "Saved, revision 1" in shown_text(page)


def test_in_a_narrow_window_the_canvas_is_as_wide_as_its_place_and_loses_no_box(world, open_page):
    add_items(world)
    page = draw(open_page("annotate", dataset="d1", item="i1"))
    before = page.session_state["annotation_drafts"]["i1", "edit"].boxes
    page.session_state["room_canvas_760"] = {"width": 608}  # what the browser would report
    page.run()
    assert not page.exception
    data = canvas(page)
    assert (data["canvasWidth"], data["canvasHeight"]) == (608, 456)
    crack, pore = data["initialDrawing"]["objects"]
    assert crack["left"] == pytest.approx(10.2 * 608 / 640 - 1)
    assert pore["left"] == pytest.approx(201 * 608 / 760 - 1, abs=0.01)
    assert page.session_state["annotation_drafts"]["i1", "edit"].boxes == before
    page.session_state["room_canvas_760"] = {"width": -5}  # a browser may say anything
    page.run()
    assert canvas(page)["canvasWidth"] == 608


def test_a_drawn_box_is_saved_in_image_pixels_and_old_boxes_do_not_drift(world, open_page):
    add_items(world)
    page = draw(open_page("annotate", dataset="d1", item="i1"))
    assert not page.exception
    assert "Not saved" in shown_text(page)
    key = canvas_key(page)
    world.created["/items/i1/markup"] = world.items["i1"] = data_objects.item(revision=2)
    page.button(key="save_markup").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("PUT", "/items/i1/markup")[0])
    assert (sent["base_revision"], sent["source"]) == (1, "edit")
    old, new = sent["markup"]["annotation"]
    assert old["shape"]["exterior"] == [[10.2, 20.4], [110.6, 90.8]]
    scale = 760 / 640
    assert new["class"] == "pore"
    assert new["shape"]["exterior"][0] == pytest.approx([201 / scale, 101 / scale], abs=0.01)
    assert new["shape"]["exterior"][1] == pytest.approx([296 / scale, 139 / scale], abs=0.01)
    assert "confidence" not in new
    assert canvas_key(page) == key, "a save must not fill the canvas anew"


def test_a_save_that_came_too_late_keeps_the_boxes_and_offers_both_ways_out(world, open_page):
    add_items(world)
    page = draw(open_page("annotate", dataset="d1", item="i1"))
    world.failures["PUT", "/items/i1/markup"] = (409, ErrorReply(code="markup_outdated", message="someone was faster"))
    page.button(key="save_markup").click().run()
    assert not page.exception
    assert page.error
    assert len(page.session_state["annotation_drafts"]["i1", "edit"].boxes) == 2
    world.failures.clear()
    theirs = data_objects.item(revision=4, markup=markup(("pore", 1, 2, 30, 40)))
    world.items["i1"] = theirs
    world.created["/items/i1/markup"] = data_objects.item(revision=5)
    page.button(key="keep_mine").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("PUT", "/items/i1/markup")[-1])
    assert (sent["base_revision"], len(sent["markup"]["annotation"])) == (4, 2)


def test_loading_what_others_saved_drops_only_this_draft(world, open_page):
    add_items(world)
    page = draw(open_page("annotate", dataset="d1", item="i1"))
    world.failures["PUT", "/items/i1/markup"] = (409, ErrorReply(code="markup_outdated", message="someone was faster"))
    page.button(key="save_markup").click().run()
    world.items["i1"] = data_objects.item(revision=4, markup=markup(("pore", 1, 2, 30, 40)))
    page.button(key="load_theirs").click().run()
    assert not page.exception
    assert [one["label"] for one in canvas(page)["initialDrawing"]["objects"]] == ["pore"]
    assert not page.error


def test_unsaved_boxes_survive_a_look_at_the_next_image(world, open_page):
    add_items(world, data_objects.item(), data_objects.item(id="i2", name="weld_2.jpg"))
    page = draw(open_page("annotate", dataset="d1", item="i1"))
    page.button(key="next_item").click().run()
    assert not page.exception
    assert page.query_params["item"] in ("i2", ["i2"])
    assert len(canvas(page)["initialDrawing"]["objects"]) == 1
    assert "1 other image with unsaved boxes" in shown_text(page)
    page.button(key="previous_item").click().run()
    assert [one["label"] for one in canvas(page)["initialDrawing"]["objects"]] == ["crack", "pore"]
    assert "Not saved" in shown_text(page)


def test_the_table_relabels_and_deletes(world, open_page):
    add_items(world)
    page = draw(open_page("annotate", dataset="d1", item="i1"))
    key = next(key for key in page.session_state._state.filtered_state if str(key).startswith("box_table_"))
    edits = {"edited_rows": {0: {"delete": True}, 1: {"class": "crack"}}, "added_rows": [], "deleted_rows": []}
    page.session_state[key] = edits
    page.run()
    assert not page.exception
    assert [one["label"] for one in canvas(page)["initialDrawing"]["objects"]] == ["crack"]


def test_a_label_that_is_no_class_cannot_be_saved(world, open_page):
    add_items(world)
    page = draw(open_page("annotate", dataset="d1", item="i1"), label="krack")
    assert not page.exception
    assert "krack" in page.warning[0].value
    assert page.button(key="save_markup").disabled


def test_a_prediction_is_taken_as_a_start_and_saved_with_its_run(world, open_page):
    add_items(world)
    world.runs["t1"] = contract_objects.run(id="t1", kind="test", number=5)
    world.results["t1"].append(data_objects.result())
    page = open_page("annotate", dataset="d1", item="i1", run="t1", conf="50")
    assert not page.exception
    assert [one["label"] for one in canvas(page)["initialDrawing"]["objects"]] == ["crack"]
    world.created["/items/i1/markup"] = world.items["i1"] = data_objects.item(
        revision=2, markup=markup(("crack", 10, 20, 110, 90))
    )
    page.button(key="save_markup").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("PUT", "/items/i1/markup")[0])
    assert sent["source"] == "run:t1"
    assert sent["markup"]["annotation"][0]["shape"]["exterior"] == [[10, 20], [110, 90]]
    assert "run" not in page.query_params


def test_an_old_revision_can_be_taken_back(world, open_page):
    add_items(world)
    world.items["i1"] = data_objects.item(revision=2, markup=markup())
    world.revisions["i1"].append(data_objects.revision(revision=2, source="edit", markup=markup()))
    page = open_page("annotate", dataset="d1", item="i1")
    page.selectbox(key="revision_i1_2").select_index(1)
    page.button(key="take_revision").click().run()
    assert not page.exception
    assert [one["label"] for one in canvas(page)["initialDrawing"]["objects"]] == ["crack"]
    assert "Not saved" in shown_text(page)


def test_hostile_names_are_shown_as_text(world, open_page):
    add_items(world, data_objects.item(name=HOSTILE, markup=markup((HOSTILE, 1, 2, 30, 40))))
    world.datasets["d1"] = contract_objects.dataset(name=HOSTILE, classes=(HOSTILE, "crack"))
    page = open_page("annotate", dataset="d1", item="i1")
    assert not page.exception
    assert "<img" not in shown_text(page).replace("\\<img", "")


def test_an_item_that_is_gone_is_an_error_not_a_traceback(world, open_page):
    add_items(world)
    page = open_page("annotate", dataset="d1", item="nobody")
    assert not page.exception
    assert page.error


def test_without_a_backend_the_page_says_so(silent_backend, open_page):
    page = open_page("annotate")
    assert not page.exception
    assert page.warning
