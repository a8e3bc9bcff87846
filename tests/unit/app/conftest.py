from tests.unit.app.ui_fixtures import open_page, silent_backend, world  # noqa: F401
