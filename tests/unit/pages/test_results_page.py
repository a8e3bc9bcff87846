import json

from tests.unit.app import contract_objects, data_objects
from tests.unit.app.data_objects import HOSTILE, markup
from tests.unit.app.ui_fixtures import shown_text


def add_run(world, *results, **fields):
    world.datasets["d1"] = contract_objects.dataset()
    world.runs["t1"] = contract_objects.run(id="t1", kind="test", number=5, **fields)
    world.results["t1"].extend(results or [data_objects.result()])


def drawn(page):
    (image,) = [one for one in page.get("bidi_component") if "box_image" in one.proto.component_name]
    return json.loads(image.proto.json)


def figures(page):
    return "".join(str(one.proto.body) for one in page.get("html"))


def test_without_a_test_run_the_page_leads_to_testing(world, open_page):
    page = open_page("results")
    assert not page.exception
    assert "No test runs yet" in page.info[0].value


def test_predicted_and_true_boxes_are_drawn_and_counted(world, open_page):
    add_run(world)
    page = open_page("results", run="t1")
    assert not page.exception
    data = drawn(page)
    assert [(box["label"], box["dashed"]) for box in data["boxes"]] == [
        ("crack", True),
        ("pore", True),
        ("crack 0.90", False),
        ("pore 0.40", False),
    ]
    assert data["src"] == f"/objects/{'ab' * 32}"
    assert data["boxes"][0]["colour"] == data["boxes"][2]["colour"] != data["boxes"][1]["colour"]
    for fact in ("<span>Found</span><b>1</b>", "<span>Extra</span><b>1</b>", "<span>Missed</span><b>1</b>"):
        assert fact in figures(page)


def test_the_slider_hides_what_the_model_is_less_sure_of(world, open_page):
    add_run(world)
    page = open_page("results", run="t1")
    page.slider(key="confidence").set_value(50).run()
    assert not page.exception
    assert [box["label"] for box in drawn(page)["boxes"] if not box["dashed"]] == ["crack 0.90"]
    assert page.query_params["conf"] in ("50", ["50"])
    assert "<span>Extra</span><b>0</b>" in figures(page)


def test_both_layers_can_be_switched_off(world, open_page):
    add_run(world)
    page = open_page("results", run="t1")
    page.toggle(key="with_truth").set_value(False).run()
    assert all(not box["dashed"] for box in drawn(page)["boxes"])
    page.toggle(key="with_predictions").set_value(False).run()
    assert drawn(page)["boxes"] == []
    assert "<span>Missed</span><b>1</b>" in figures(page)


def test_next_and_previous_walk_through_the_images(world, open_page):
    add_run(world, *[data_objects.result(index=n, name=f"weld_{n}.jpg") for n in range(3)])
    page = open_page("results", run="t1", image="2")
    assert drawn(page)["alt"] == "weld_1.jpg"
    page.button(key="next_image").click().run()
    assert drawn(page)["alt"] == "weld_2.jpg"
    assert page.button(key="next_image").disabled
    page.button(key="previous_image").click().run()
    assert drawn(page)["alt"] == "weld_1.jpg"


def test_nonsense_in_the_url_shows_the_first_image(world, open_page):
    add_run(world)
    page = open_page("results", run="t1", image="77", conf="abc", **{"class": "nonsense"})
    assert not page.exception
    assert drawn(page)["alt"] == "weld_1.jpg"


def test_an_image_that_is_in_no_dataset_is_explained(world, open_page):
    add_run(world, data_objects.result(image=None, width=None, height=None, item_id=None, dataset_id=None, truth=None))
    page = open_page("results", run="t1")
    assert not page.exception
    assert "not in the dataset" in page.warning[0].value
    assert "no true markup" in shown_text(page)


def test_a_run_without_results_says_so(world, open_page):
    add_run(world)
    world.results["t1"].clear()
    page = open_page("results", run="t1")
    assert not page.exception
    assert "saved no results" in page.info[0].value


def test_hostile_class_names_reach_the_browser_as_data_only(world, open_page):
    add_run(world, data_objects.result(prediction=markup((HOSTILE, 1, 2, 30, 40, 0.9))))
    page = open_page("results", run="t1")
    assert not page.exception
    assert HOSTILE in drawn(page)["boxes"][-1]["label"]
    assert "<img" not in figures(page)


def test_an_unknown_run_is_an_error_not_a_traceback(world, open_page):
    page = open_page("results", run="nobody")
    assert not page.exception
    assert page.error


def test_without_a_backend_the_page_says_so(silent_backend, open_page):
    page = open_page("results")
    assert not page.exception
    assert page.warning
