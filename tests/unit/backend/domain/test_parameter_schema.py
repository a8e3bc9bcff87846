"""Declaring parameters and checking the values of a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contracts.parameters import Parameter, ParameterSchema
from backend.domain.errors import InvalidInputError
from backend.domain.parameter_schema import check_schema, parameter_problems, range_text, validate_values

EPOCHS = Parameter(name="epochs", type="int", default=3, minimum=1, maximum=100)
RATE = Parameter(group="network", name="rate", type="float", default=0.1, minimum=0)
NAME = Parameter(group="network", name="backbone", type="choice", default="lite0", choices=("lite0", "resnet50"))
AMP = Parameter(name="amp", type="bool", default=False)
NOTE = Parameter(name="note", type="str", default="")
ALL = (EPOCHS, RATE, NAME, AMP, NOTE)


def fault(values: dict) -> tuple[str, dict]:
    with pytest.raises(InvalidInputError) as caught:
        validate_values(ALL, values)
    assert caught.value.code == "parameters_invalid"
    return caught.value.problems[0].code, caught.value.problems[0].params


def test_defaults_complete_what_is_not_given_in_declared_order() -> None:
    values = validate_values(ALL, {"network": {"rate": 1}})
    assert values == {
        "basic params": {"epochs": 3, "amp": False, "note": ""},
        "network": {"rate": 1.0, "backbone": "lite0"},
    }
    assert type(values["network"]["rate"]) is float
    assert type(validate_values(ALL, {"basic params": {"epochs": 5.0}})["basic params"]["epochs"]) is int


def test_out_of_range_names_group_name_value_and_range() -> None:
    code, params = fault({"basic params": {"epochs": 101}})
    assert code == "parameter_out_of_range"
    assert (params["group"], params["name"], params["value"], params["range"]) == (
        "basic params",
        "epochs",
        "101",
        "1 … 100",
    )


@pytest.mark.parametrize(
    ("group", "name", "value", "code"),
    [
        ("basic params", "epochs", 0, "parameter_out_of_range"),
        ("basic params", "epochs", 1.5, "parameter_not_whole"),
        ("basic params", "epochs", True, "parameter_not_number"),
        ("basic params", "epochs", "3", "parameter_not_number"),
        ("network", "rate", -0.1, "parameter_out_of_range"),
        ("network", "rate", float("nan"), "parameter_not_number"),
        ("network", "rate", float("inf"), "parameter_not_number"),
        ("network", "backbone", "vgg", "parameter_not_a_choice"),
        ("basic params", "amp", 1, "parameter_not_bool"),
        ("basic params", "note", 1, "parameter_not_text"),
        ("basic params", "epoch", 1, "parameter_unknown_nearest"),
        ("zzz", "qqq", 1, "parameter_unknown"),
    ],
)
def test_bad_values(group: str, name: str, value: object, code: str) -> None:
    assert fault({group: {name: value}})[0] == code


def test_unknown_name_lists_the_nearest() -> None:
    assert fault({"network": {"ratte": 1}})[1]["nearest"] == "network / rate"


def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate_values(ALL, {"basic params": {"epochs": 0, "amp": 1}, "network": {"x": 1}})
    assert len(caught.value.problems) == 3


def test_same_name_twice_in_a_group() -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_schema(ParameterSchema(train=(EPOCHS, EPOCHS), test=(EPOCHS,)))
    assert [(p.code, p.params["kind"]) for p in caught.value.problems] == [("parameter_twice", "train")]


@pytest.mark.parametrize(("low", "high", "text"), [(1, 2.5, "1 … 2.5"), (0, None, "≥ 0"), (None, 1, "≤ 1")])
def test_range_text(low: float | None, high: float | None, text: str) -> None:
    assert range_text(EPOCHS.model_copy(update={"minimum": low, "maximum": high})) == text


@given(
    st.integers(-(2**53), 2**53),
    st.none() | st.integers(-(2**53), 2**53),
    st.none() | st.integers(-(2**53), 2**53),
)
def test_a_sound_declaration_accepts_its_own_default(default: int, low: int | None, high: int | None) -> None:
    parameter = Parameter(name="n", type="int", default=default, minimum=low, maximum=high)
    if not parameter_problems("train", parameter):
        assert (low is None or low <= default) and (high is None or default <= high)
        assert validate_values([parameter], {}) == {"basic params": {"n": default}}
    stored = Parameter.model_validate_json(parameter.model_dump_json())
    assert stored == parameter
