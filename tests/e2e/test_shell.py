"""What Streamlit puts around our pages: its menu holds the theme alone, and speaks the reader's language."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Workstation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
THEMES = {"ru": ['"Авто"', '"Светлая"', '"Тёмная"'], "en": ["none"] * 3}
SPOKEN = "buttons => buttons.map(button => getComputedStyle(button, '::after').content)"


@pytest.mark.parametrize("language", THEMES)
def test_the_menu_offers_the_theme_in_the_readers_language(
    workstation: Workstation, browser_context: BrowserContext, language: str
) -> None:
    page = browser_context.new_page()
    page.goto(f"{workstation.url}/?lang={language}")
    expect(page.locator("html")).to_have_attribute("lang", language, timeout=30_000)
    menu = opened_menu(page)
    assert menu.get_by_role("menuitemradio").evaluate_all(SPOKEN) == THEMES[language]
    expect(menu.get_by_text("Print")).to_be_hidden()
    expect(menu.get_by_text("Streamlit")).to_be_hidden()

    menu.get_by_role("menuitemradio").nth(2).click()
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark", timeout=30_000)
    page.close()


def opened_menu(page: Page):
    page.locator("[data-testid=stMainMenu] button").click()
    return page.get_by_test_id("stMainMenuPopover")
