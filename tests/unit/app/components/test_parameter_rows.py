import pytest

from app.components.parameter_rows import parameters_from_rows, rows_from_parameters
from backend.contracts.parameters import Parameter
from tests.unit.app import contract_objects

NAN = float("nan")


def row(**cells):
    return {"group": "basic params", "name": "x", "type": "float", "default": "1", **cells}


def test_every_type_goes_round_unchanged():
    declared = contract_objects.parameters()
    assert parameters_from_rows(rows_from_parameters(declared, "en"), "en")[0] == declared


BOTH = {"en": "passes", "ru": "проходы"}


def edited(description, language, typed=None):
    """The description of a parameter after its row was shown and, if `typed` is given, changed."""
    declared = Parameter(name="x", type="int", default=1, description=description)
    (shown,) = rows_from_parameters([declared], language)
    if typed is not None:
        shown["description"] = typed
    return parameters_from_rows([shown], language)[0][0].description


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("description", ["passes", "", BOTH, {"ru": "проходы"}, {"en": "passes", "ru": ""}])
def test_a_description_that_nobody_edits_stays_in_every_language(description, language):
    assert edited(description, language) == description


def test_a_row_shows_the_language_of_the_page_and_an_edit_changes_no_other():
    declared = [Parameter(name="x", type="int", default=1, description=BOTH)]
    assert [rows_from_parameters(declared, one)[0]["description"] for one in ("en", "ru")] == ["passes", "проходы"]
    assert edited(BOTH, "ru", "эпохи") == {"en": "passes", "ru": "эпохи"}
    assert edited({"en": "passes"}, "ru", "эпохи") == {"en": "passes", "ru": "эпохи"}
    assert edited(BOTH, "en", "") == {"ru": "проходы"}
    assert edited({"ru": "проходы"}, "ru", "") == ""
    assert edited("passes", "ru", "эпохи") == "эпохи"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("int", "7", 7), ("float", "0,5", 0.5), ("bool", "Да", True), ("bool", "false", False), ("str", "7", "7")],
)
def test_a_default_is_read_in_its_type(kind, text, value):
    ((parameter,), _) = parameters_from_rows([row(type=kind, default=text)], "en")
    assert parameter.default == value
    assert type(parameter.default) is type(value)


@pytest.mark.parametrize(("kind", "text"), [("int", "3.5"), ("float", "much"), ("bool", "perhaps")])
def test_a_default_of_another_type_stays_text_for_the_backend_to_refuse(kind, text):
    assert parameters_from_rows([row(type=kind, default=text)], "en")[0][0].default == text


def test_empty_cells_of_the_table_are_no_limits_and_no_choices():
    cells = {"minimum": NAN, "maximum": None, "choices": NAN, "description": None, "group": NAN}
    ((parameter,), _) = parameters_from_rows([row(**cells)], "en")
    assert parameter == Parameter(name="x", type="float", default=1.0)


def test_an_empty_row_is_skipped_and_the_others_keep_their_numbers():
    empty = {"name": None, "type": "float", "default": NAN}
    parameters, numbers = parameters_from_rows([row(name="a"), empty, row(name="b")], "en")
    assert [parameter.name for parameter in parameters] == ["a", "b"]
    assert numbers == (1, 3)
