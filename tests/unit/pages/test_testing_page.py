import json

from backend.contracts.reports import Metric
from tests.unit.app import contract_objects
from tests.unit.app.ui_fixtures import shown_text

METRICS = [
    Metric(name="Confusion", kind="confusion", data={"values": [[5, 1], [0, 0]], "labels": ["pore", "crack"]}),
    Metric(name="Per image", kind="table", data={"columns": ["name", "acc"], "rows": [["a", 0.5], ["b", 1.0]]}),
    Metric(name="Scores", kind="histogram", data={"counts": [1, 2], "edges": [0, 0.5, 1]}),
    Metric(name="IoU", kind="matrix", data={"values": [[0.5]], "row_labels": ["pore"], "column_labels": ["test"]}),
]


def add_project_with_runs(world):
    world.datasets["d1"] = contract_objects.dataset()
    world.projects["p1"] = contract_objects.project()
    world.runs["r1"] = contract_objects.run()
    world.runs["t1"] = contract_objects.run(id="t1", number=2, kind="test", train_run_id="r1")


def test_every_metric_has_its_tab_and_tables_have_statistics(world, open_page):
    add_project_with_runs(world)
    world.metrics["t1"] = METRICS
    page = open_page("testing", run="t1")
    assert not page.exception
    labels = [tab.label for tab in page.tabs]
    assert [metric.name for metric in METRICS] == [label for label in labels if label in {m.name for m in METRICS}]
    statistics = next(table.value for table in page.dataframe if "mean" in table.value.index)
    assert list(statistics.index) == ["mean", "std", "min", "25%", "50%", "75%", "max"]
    assert statistics.loc["mean", "acc"] == 0.75


def test_a_test_without_metrics_says_how_to_get_them(world, open_page):
    add_project_with_runs(world)
    page = open_page("testing", run="t1")
    assert not page.exception
    assert "get_test_metrics_logger" in page.info[0].value


def test_start_names_the_training_whose_weights_are_tested(world, open_page):
    add_project_with_runs(world)
    world.created["/runs"] = world.runs["t1"]
    page = open_page("testing", project="p1", train_run="r1")
    page.button(key="launch_test_p1_start").click().run()
    assert not page.exception
    sent = json.loads(world.bodies("POST", "/runs")[0])
    assert (sent["kind"], sent["train_run_id"]) == ("test", "r1")


def test_without_a_project_the_page_says_how_to_get_one(world, open_page):
    page = open_page("testing", language="ru")
    assert not page.exception
    assert "Проектов пока нет" in shown_text(page)


def test_a_silent_backend_shows_a_box_that_tries_again(silent_backend, open_page):
    page = open_page("testing")
    assert not page.exception
    assert "does not answer" in page.warning[0].value
