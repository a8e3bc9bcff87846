from streamlit.testing.v1 import AppTest

from backend.contracts.parameters import Parameter


def form(parameters: list[dict]) -> AppTest:
    def script(raw):
        import streamlit as st

        from app.components import parameter_form
        from backend.contracts.parameters import Parameter

        st.session_state["values"] = parameter_form.show(tuple(Parameter(**one) for one in raw), "f")

    return AppTest.from_function(script, kwargs={"raw": parameters}, default_timeout=30).run()


def one(**fields) -> dict:
    return Parameter(**{"name": "p", "type": "int", "default": 1, **fields}).model_dump()


def test_each_type_returns_its_own_python_type():
    page = form(
        [
            one(name="i", default=3),
            one(name="f", type="float", default=0.5),
            one(name="b", type="bool", default=True),
            one(name="s", type="str", default="x"),
            one(name="c", type="choice", default="two", choices=("one", "two")),
        ]
    )
    assert not page.exception
    values = page.session_state["values"]["basic params"]
    assert values == {"i": 3, "f": 0.5, "b": True, "s": "x", "c": "two"}
    assert [type(value) for value in values.values()] == [int, float, bool, str, str]


def test_groups_keep_the_order_in_which_they_first_appear():
    page = form([one(group="b", name="x"), one(group="a", name="y"), one(group="b", name="z")])
    assert [(group, list(values)) for group, values in page.session_state["values"].items()] == [
        ("b", ["x", "z"]),
        ("a", ["y"]),
    ]


def test_a_default_outside_its_range_is_told_and_replaced():
    page = form([one(default=500, minimum=1, maximum=9)])
    assert not page.exception
    assert page.session_state["values"]["basic params"]["p"] == 9
    assert any("500" in caption.value for caption in page.caption)


def test_a_range_that_holds_nothing_does_not_crash():
    page = form([one(minimum=9, maximum=1), one(name="q", type="float", default=0.5, minimum=2, maximum=1)])
    assert not page.exception


def test_an_int_range_with_fractions_keeps_only_whole_numbers():
    page = form([one(default=1, minimum=0.5, maximum=2.5)])
    assert not page.exception
    assert (page.number_input[0].min, page.number_input[0].max) == (1, 2)


def test_odd_defaults_do_not_crash():
    page = form(
        [
            one(name="a", default="text"),
            one(name="b", type="choice", default="gone", choices=("x",)),
            one(name="c", type="choice", default="free", choices=()),
            one(name="d", type="float", default=0),
            one(name="e", default=10**18),
            one(name="**bold** $x$ [a](b)", type="str", default=""),
        ]
    )
    assert not page.exception
    assert page.session_state["values"]["basic params"]["b"] == "x"
