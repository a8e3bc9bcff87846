from tests.unit.app import contract_objects
from tests.unit.app.ui_fixtures import shown_text


def test_an_empty_workstation_teaches_the_four_steps(world, open_page):
    page = open_page("home", language="en")
    assert not page.exception
    text = shown_text(page)
    for step in ("1. Data", "2. Project", "3. Training", "4. Test and results"):
        assert step in text
    assert page.button(key="import_demo")


def test_import_demo_asks_the_backend_once(world, open_page):
    world.created["/datasets/import-demo"] = contract_objects.dataset()
    open_page("home").button(key="import_demo").click().run()
    assert len(world.bodies("POST", "/datasets/import-demo")) == 1


def test_what_is_there_is_counted_and_recent_runs_are_listed(world, open_page):
    world.datasets["d1"] = contract_objects.dataset()
    world.projects["p1"] = contract_objects.project()
    world.runs["r1"] = contract_objects.run()
    page = open_page("home", language="ru")
    assert not page.exception
    assert "1 набор данных" in shown_text(page)
    table = page.dataframe[0].value
    assert list(table["project"]) == ["weld_defects"]
    assert list(table["state"]) == ["завершён"]


def test_a_silent_backend_shows_a_box_that_tries_again(silent_backend, open_page):
    page = open_page("home")
    assert not page.exception
    assert "does not answer" in page.warning[0].value
    assert page.button(key="reconnect_now")
