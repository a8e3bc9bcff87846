"""params.yaml and params.json."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.contracts.base import Language
from backend.contracts.parameters import Parameter
from backend.domain.errors import InvalidInputError
from backend.domain.parameter_file import parse_parameter_file
from backend.sentences import sentence


def train(content: str, file: str = "params.yaml"):
    return parse_parameter_file(content.encode(), file).train


def faults(content: str, file: str = "params.yaml") -> list[tuple[str, int | None]]:
    with pytest.raises(InvalidInputError) as caught:
        parse_parameter_file(content.encode(), file)
    assert caught.value.code == "parameter_file_invalid"
    assert all(problem.file == file for problem in caught.value.problems)
    return [(problem.code, problem.line) for problem in caught.value.problems]


def test_types_are_inferred_from_bare_values() -> None:
    found = train(
        "train:\n  g:\n    a: 1\n    b: 1.0\n    c: 1e-3\n    d: true\n    e: text\n    f: '7'\n    g: 2020-01-01\n"
    )
    assert [(p.name, p.type, p.default) for p in found] == [
        ("a", "int", 1),
        ("b", "float", 1.0),
        ("c", "float", 0.001),
        ("d", "bool", True),
        ("e", "str", "text"),
        ("f", "str", "7"),
        ("g", "str", "2020-01-01"),
    ]


def test_full_declarations() -> None:
    rate, name, tag = train(
        "train:\n  g:\n    rate: {type: float, default: 1, min: 0, max: 2, description: 'шаг'}\n"
        "    name: {choices: [1, two], default: 1}\n    tag: {type: str, default: 5}\n"
    )
    assert (rate.default, rate.minimum, rate.maximum, rate.description) == (1.0, 0, 2, "шаг")
    assert (tag.type, tag.default) == ("str", "5")
    assert (name.type, name.choices, name.default) == ("choice", ("1", "two"), "1")


def test_descriptions_in_two_languages() -> None:
    both, one, quoted, empty = train(
        "train:\n  g:\n    a: {default: 1, description: {en: rate, ru: 'шаг'}}\n"
        "    b: {default: 1, description: {ru: шаг}}\n    c: {default: 1, description: {en: '1'}}\n"
        "    d: {default: 1, description: }\n"
    )
    assert (both.description_in("en"), both.description_in("ru")) == ("rate", "шаг")
    assert one.description_in("en") == one.description_in("ru") == "шаг"
    assert quoted.description == {"en": "1"} and empty.description == ""
    assert (
        Parameter(name="a", type="int", default=1, description={"en": "rate", "ru": ""}).description_in("ru") == "rate"
    )
    assert Parameter(name="a", type="int", default=1, description={"en": ""}).description_in("ru") == ""


@pytest.mark.parametrize("language", ["en", "ru"])
def test_what_is_wrong_with_a_description_is_told_with_what_to_write(language: Language) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_parameter_file(b"train:\n  g:\n    a: {default: 1, description: {de: Rate}}", "params.yaml")
    (problem,) = caught.value.problems
    for part, known in (("message", "'de'" if language == "en" else "«de»"), ("hint", "{en: a text, ru: текст}")):
        assert known in sentence(f"error.{problem.code}.{part}", problem.params, language)


def test_json_with_tabs_and_lines() -> None:
    content = json.dumps({"train": {"g": {"epochs": {"default": 3, "max": 9}}}}, indent="\t")
    assert train(content, "params.json")[0].maximum == 9
    assert faults('{\n"train": {"g":\n {"a": null}}}', "params.json") == [("parameter_value_not_scalar", 3)]
    assert faults('{\n"train": {,}}', "params.json") == [("yaml_syntax", 2)]


@pytest.mark.parametrize("content", ["", "# nothing\n", "train:\n", "test: {}\n"])
def test_nothing_declared(content: str) -> None:
    schema = parse_parameter_file(content.encode(), "params.yaml")
    assert schema.train == schema.test == ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("training:\n  g: {a: 1}", [("parameter_section_unknown", 1)]),
        ("train:\n  g: {a: 1}\ntrain:\n  g: {a: 1}", [("parameter_section_unknown", 3)]),
        ("train:\n  a: 1", [("parameter_mapping_expected", 2), ("parameter_group_empty", 2)]),
        ("- a", [("parameter_mapping_expected", 1)]),
        ("train:\n  g:\n    a: {dflt: 1}", [("parameter_field_unknown", 3)]),
        ("train:\n  g:\n    a: {min: 1}", [("parameter_default_missing", 3)]),
        ("train:\n  g:\n    a: {type: integer, default: 1}", [("parameter_type_unknown", 3)]),
        ("train:\n  g:\n    a: {default: 1, min: x}", [("parameter_limit_not_number", 3)]),
        ("train:\n  g:\n    a: {default: 1, min: " + "9" * 400 + "}", [("parameter_limit_not_number", 3)]),
        ('train:\n  g:\n    "\\ud800": 1', [("text_not_utf8", 3)]),
        ("train:\n  g:\n    a: {default: 5, max: 4}", [("parameter_out_of_range", 3)]),
        ("train:\n  g:\n    a: {default: x, choices: x}", [("parameter_choices_not_list", 3)]),
        ("train:\n  g:\n    a: {default: x, choices: [y]}", [("parameter_not_a_choice", 3)]),
        *(
            (f"train:\n  g:\n    a:\n      default: 1\n      description: {text}", [(code, 5)])
            for text, code in (
                ("[a]", "parameter_description_bad"),
                ("{}", "parameter_description_empty"),
                ("{de: a}", "parameter_language_unknown"),
                ("{en: a, [b]: c}", "parameter_language_unknown"),
                ("{en: a, ru: 5}", "parameter_description_not_text"),
                ("{en: yes}", "parameter_description_not_text"),
                ("{en: }", "parameter_description_not_text"),
                ("{en: {ru: a}}", "parameter_description_not_text"),
            )
        ),
        ("train:\n  g:\n    a: .nan", [("parameter_not_number", 3)]),
        ("train:\n  g:\n    a: 1\n    b: []\n    a: 2", [("parameter_value_not_scalar", 4), ("parameter_twice", 5)]),
        ("train:\n  g:\n    [1, 2]: 1", [("parameter_key_bad", 3)]),
        ("train: &a\n  g: {a: 1}\ntest: *a", [("yaml_alias", 1)]),
        ("train:\n\t- a", [("yaml_syntax", 2)]),
        ("train:\n  g:\n    a: !!python/object/apply:os.system [id]", [("parameter_value_not_scalar", 3)]),
        ("a: " + "[" * 100, [("yaml_too_deep", 1)]),
    ],
)
def test_faults_are_located(content: str, expected: list[tuple[str, int]]) -> None:
    found = faults(content)
    assert found[: len(expected)] == expected


def test_file_over_the_limit() -> None:
    assert faults("a: " + "x" * 300_000) == [("yaml_too_large", None)]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(content: str) -> None:
    try:
        parse_parameter_file(content.encode("utf-8", "surrogatepass"), "params.yaml")
    except InvalidInputError as error:
        assert error.problems
