"""Navigation, languages around the pages."""

from app import navigation, session_keys
from tests.unit.app.ui_fixtures import shown_text


def test_every_page_of_the_navigation_exists_and_every_page_is_in_it():
    files = {path.name for path in navigation.PAGES.glob("*_page.py")}
    assert {navigation.page_file(name).name for name in navigation.ICONS} == files


def test_the_language_of_the_address_is_the_language_of_the_page(world, open_page):
    assert "Recent runs" in shown_text(open_page("home", language="en"))
    assert "Последние запуски" in shown_text(open_page("home", language="ru"))


def test_the_switch_changes_the_language_and_keeps_it_on_other_pages(world, open_page):
    page = open_page("home", language="en")
    page.session_state[session_keys.LANGUAGE] = "ru"
    page.run()
    assert "Последние запуски" in shown_text(page)
    page.switch_page("../pages/training_page.py").run()
    assert page.title[0].value == "Обучение"
    assert page.query_params["lang"] in ("ru", ["ru"])


def test_a_language_that_does_not_exist_is_ignored(world, open_page):
    page = open_page("home", lang="xx")
    assert not page.exception
